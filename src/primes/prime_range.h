/* All primes of an interval below 2^64, by primesieve where the build has it. */
#ifndef PRIMES_PRIME_RANGE_H
#define PRIMES_PRIME_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool prime_range_available(void);

/* How many primes there are from `from` to `to`, both included; by so many threads. False: it cannot be
 * computed, for want of memory. */
bool prime_range_count(uint64_t from, uint64_t to, unsigned threads, uint64_t *count);

/* Calls `each` with them, ascending, some at a time. False as above; then those that were passed on are
 * right, and not all. */
bool prime_range_each(uint64_t from, uint64_t to,
                      void (*each)(void *context, const uint64_t *primes, size_t count),
                      void *context);

#endif
