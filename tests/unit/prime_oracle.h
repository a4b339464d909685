/* What the primality kernels are tested against, and with: answers found in another way, and numbers on
 * which mistakes show. */
#ifndef TESTS_PRIME_ORACLE_H
#define TESTS_PRIME_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* By the strong test to the bases 2 to 37, without Montgomery's arithmetic. Certain below 3.18e23:
 * Jonathan Sorenson, Jonathan Webster: Strong Pseudoprimes to Twelve Prime Bases, Mathematics of
 * Computation 86 (2017), 985-1003. */
bool oracle_is_prime(uint64_t n);

/* The strong test to one base, of an odd n > base. */
bool oracle_strong(uint64_t n, uint64_t base);

/* The almost extra strong Lucas test of primes/bpsw.h, of an odd n, by its definition. */
bool oracle_lucas(uint64_t n, uint64_t p);

/* composite[n] for n <= limit, by Eratosthenes; to be freed. NULL: no memory. */
unsigned char *oracle_sieve(uint64_t limit);

uint64_t oracle_next_prime(uint64_t n); /* the least above n, which must be less than 2^63 */

/* A number that is likely to be prime, or hard, or at an edge: of any length, near powers of two, with
 * few bits set, squares, products of near primes, and the two below. */
uint64_t oracle_number(uint64_t *seed);

/* p * (k * (p - 1) + 1) and p * (k * (p - 1) - 1) or p * (k * (p + 1) + 1), above 2^32, with prime
 * factors: of such many are pseudoprimes, of Fermat's kind and of Lucas's. */
uint64_t oracle_fermat_like(uint64_t *seed);
uint64_t oracle_lucas_like(uint64_t *seed);

#endif
