/* A build without primesieve: nobody comes here who asked first. */
#include "primes/prime_range.h"

bool prime_range_available(void) {
    return false;
}

bool prime_range_count(uint64_t from, uint64_t to, unsigned threads, uint64_t *count) {
    (void)from;
    (void)to;
    (void)threads;
    *count = 0;
    return false;
}

bool prime_range_each(uint64_t from, uint64_t to,
                      void (*each)(void *context, const uint64_t *primes, size_t count),
                      void *context) {
    (void)from;
    (void)to;
    (void)each;
    (void)context;
    return false;
}
