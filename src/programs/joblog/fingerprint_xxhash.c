#include "programs/joblog/fingerprint.h"

#include <inttypes.h>
#include <stdio.h>
#include <xxhash.h>

fingerprint fingerprint_of(const void *data, size_t size) {
    const XXH128_hash_t hash = XXH3_128bits(data, size);
    fingerprint print;
    snprintf(print.text, sizeof print.text, "%016" PRIx64 "%016" PRIx64, (uint64_t)hash.high64,
             (uint64_t)hash.low64);
    return print;
}
