/* Many numbers below 2^64 at once: prime[i] becomes 1 if n[i] is prime, else 0.
 *
 * The answers are is_prime_64's, and certain for the same reasons (bpsw.h). All functions here are
 * pure; a call works in some 100 KiB of stack and allocates nothing. Any count will do; from some
 * thousand numbers on the vectors are full nearly all the time. */
#ifndef PRIMES_IS_PRIME_BATCH_H
#define PRIMES_IS_PRIME_BATCH_H

#include "primes/kernel.h"

#include <stddef.h>
#include <stdint.h>

/* With the kernel that prime_kernel_chosen gives. `n` and `prime` must not overlap. */
void is_prime_batch(const uint64_t *n, size_t count, uint8_t *prime);

/* With this one, which must be available. */
void is_prime_batch_with(prime_kernel kernel, const uint64_t *n, size_t count, uint8_t *prime);

#endif
