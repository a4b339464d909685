/* The composite numbers below 2^32 that pass the strong test to base 2, ascending, out of
 * data/strong_pseudoprimes_32.txt. */
#ifndef PRIMES_PSEUDOPRIMES_H
#define PRIMES_PSEUDOPRIMES_H

#include <stddef.h>
#include <stdint.h>

extern const uint32_t PRIME_PSEUDOPRIMES[];
extern const size_t PRIME_PSEUDOPRIMES_COUNT;

/* Bit h is set if one of them has the hash h: so for 1 of 28 other numbers. */
#define PRIME_PSEUDOPRIMES_HASHES 65536
extern const uint32_t PRIME_PSEUDOPRIMES_FILTER[PRIME_PSEUDOPRIMES_HASHES / 32];

/* generate_pseudoprimes.cmake computes the same. */
static inline uint32_t pseudoprime_hash(uint32_t n) {
    return (n * 2654435769u) >> 16;
}

#endif
