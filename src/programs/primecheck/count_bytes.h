/* How often a byte stands in memory. */
#ifndef PROGRAMS_COUNT_BYTES_H
#define PROGRAMS_COUNT_BYTES_H

#include <stddef.h>
#include <stdint.h>

/* In bytes first, of which a vector holds more than of whole numbers. */
static inline uint64_t count_bytes(const void *memory, size_t size, uint8_t wanted) {
    const uint8_t *bytes = memory;
    uint64_t count = 0;
    for (size_t at = 0; at < size;) {
        const size_t end = size - at < UINT8_MAX ? size : at + UINT8_MAX;
        uint8_t some = 0;
        for (; at < end; at++) {
            some = (uint8_t)(some + (bytes[at] == wanted));
        }
        count += some;
    }
    return count;
}

#endif
