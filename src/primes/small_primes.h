/* Small primes that candidates are divided by before the costly tests, and how to tell a multiple.
 *
 * An odd p has an inverse i modulo 2^64. The multiples of p are exactly the n for which n * i mod
 * 2^64, which for a multiple is n / p, is at most (2^64 - 1) / p (Torbjorn Granlund, Peter L.
 * Montgomery: Division by Invariant Integers using Multiplication, PLDI 1994, section 9). The same
 * holds for any other power of 2. */
#ifndef PRIMES_SMALL_PRIMES_H
#define PRIMES_SMALL_PRIMES_H

#include <stdint.h>

/* p * p = 1 modulo 8; each step doubles the number of bits that are right: 3, 6, 12, 24, 48, 96. */
#define INVERSE_STEP(p, x)  ((x) * (UINT64_C(2) - UINT64_C(p) * (x)))
#define INVERSE_TWICE(p, x) INVERSE_STEP(p, INVERSE_STEP(p, x))
#define INVERSE_64(p)       INVERSE_STEP(p, INVERSE_TWICE(p, INVERSE_TWICE(p, UINT64_C(p))))

#define IS_MULTIPLE(n, p) ((n)*INVERSE_64(p) <= UINT64_MAX / UINT64_C(p))

#endif
