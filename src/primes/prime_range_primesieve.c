#include "primes/prime_range.h"

#include <primesieve.h>

bool prime_range_available(void) {
    return true;
}

bool prime_range_count(uint64_t from, uint64_t to, unsigned threads, uint64_t *count) {
    primesieve_set_num_threads((int)threads);
    *count = primesieve_count_primes(from, to);
    return *count != PRIMESIEVE_ERROR;
}

#define AT_ONCE 4096

bool prime_range_each(uint64_t from, uint64_t to,
                      void (*each)(void *context, const uint64_t *primes, size_t count),
                      void *context) {
    /* The last prime below 2^64 has no next one: there the iterator ends with an error. */
    const uint64_t last = UINT64_C(18446744073709551557);
    uint64_t primes[AT_ONCE];
    size_t count = 0;
    uint64_t prime = from <= last ? 0 : last;
    primesieve_iterator iterator;
    primesieve_init(&iterator);
    primesieve_jump_to(&iterator, prime == 0 ? from : last, to);
    while (prime < last && (prime = primesieve_next_prime(&iterator)) <= to && !iterator.is_error) {
        primes[count++] = prime;
        if (count == AT_ONCE) {
            each(context, primes, count);
            count = 0;
        }
    }
    const bool failed = iterator.is_error;
    primesieve_free_iterator(&iterator);
    each(context, primes, count);
    return !failed;
}
