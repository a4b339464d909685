/* Eratosthenes's sieve in segments, with nothing of the code under test in it. */
#ifndef TESTS_EXHAUSTIVE_SIEVE_H
#define TESTS_EXHAUSTIVE_SIEVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIEVE_END    (UINT64_C(1) << 32)
#define SIEVE_PRIMES 6541 /* the odd primes below 2^16 */

typedef struct sieve {
    uint32_t primes[SIEVE_PRIMES];
} sieve;

/* False: no memory, or not the primes that there must be. */
bool sieve_prepare(sieve *s);

/* prime[i] becomes 1 if from + i is prime, else 0; from + count <= SIEVE_END. */
void sieve_segment(const sieve *s, uint64_t from, size_t count, uint8_t *prime);

#endif
