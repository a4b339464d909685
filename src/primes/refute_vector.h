/* What a kernel has to provide for is_prime_vector.c.
 *
 * Divisors go along the wheel: a vector holds neighbouring spokes, and its next divisors are those a
 * whole number of turns further on. For each divisor d a kernel has x, about 1 / d, and q = n * x
 * rounded to an integer: if d divides n, then q is exactly n / d. So d divides n if and only if
 * n - q * d is 0, and as that is less than 2^32 in magnitude, its low 32 bits tell. Nothing depends
 * on how n itself is rounded, which above 2^53 no double holds.
 *
 * That needs q * (relative error of n * x) < 1/4, q < 2^51 and d < 2^32. The error has two sources:
 *
 *   rounding, of n, of x and of their product: less than 2^-50 together, so q < 2^47 is asked for
 *   how x is found: below `far` by a division, from there on from the x of the divisor `step` before,
 *     with e = 1 - d * x and x + x * (e + e * e). e is near -step / (d - step), and e^3 remains, so
 *     n / d * |e|^3 < 1/4 less the rounding is asked for: true from 4th root of 16 * n * step^3 on, if
 *     that is 3 * step at least (0.21 there, falling to 1/16)
 */
#ifndef PRIMES_REFUTE_VECTOR_H
#define PRIMES_REFUTE_VECTOR_H

#include "primes/kernel.h"

#include <stdbool.h>
#include <stdint.h>

/* Eight turns of the wheel, 64 divisors. No kernel steps further. */
#define REFUTE_BLOCK 240

/* n / this is the least divisor for a kernel. */
#define REFUTE_QUOTIENT_END (UINT64_C(1) << 47)

/* Added to a double from 0 to 2^51, this rounds it to an integer, whose bits are then the lowest. */
#define REFUTE_ROUND 0x1.8p52

/* Whether one of the wheel's divisors from `from` to `to` - 1 divides n. All three bounds are multiples
 * of REFUTE_BLOCK; REFUTE_BLOCK <= from <= far <= to <= 2^32, n / from < REFUTE_QUOTIENT_END, and far as said
 * above unless it is `to`. */
typedef bool refute_kernel(uint64_t n, uint64_t from, uint64_t far, uint64_t to);

refute_kernel refute_vector_portable;
refute_kernel refute_vector_avx2;   /* only with PRIMES_HAVE_AVX2 */
refute_kernel refute_vector_avx512; /* only with PRIMES_HAVE_AVX512 */

/* refute_vector by a given kernel, which must be available. */
bool refute_vector_with(prime_kernel kernel, uint64_t n, uint64_t from, uint64_t to);

#endif
