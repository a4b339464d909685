/* Copies and clears that are mostly a few words long: a call of memcpy costs more than they do. */
#ifndef PLATFORM_COPY_H
#define PLATFORM_COPY_H

#include <stddef.h>
#include <string.h>

static inline void plat_copy(void *to, const void *from, size_t size) {
    switch (size) {
    case 8:
        memcpy(to, from, 8);
        break;
    case 16:
        memcpy(to, from, 16);
        break;
    default:
        memcpy(to, from, size);
        break;
    }
}

static inline void plat_clear(void *at, size_t size) {
    switch (size) {
    case 4:
        memset(at, 0, 4);
        break;
    case 8:
        memset(at, 0, 8);
        break;
    default:
        memset(at, 0, size);
        break;
    }
}

#endif
