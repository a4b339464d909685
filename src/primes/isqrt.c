#include "primes/primes.h"

#include <math.h>

uint64_t prime_isqrt(uint64_t n) {
    /* Above 2^53 the conversion rounds, up to 2^64 itself, whose root squared no longer fits. */
    uint64_t root = (uint64_t)sqrt((double)n);
    if (root > UINT32_MAX) {
        root = UINT32_MAX;
    }
    while (root * root > n) {
        root--;
    }
    while (root < UINT32_MAX && (root + 1) * (root + 1) <= n) {
        root++;
    }
    return root;
}
