#include "primes/primes.h"

bool is_prime_trial(uint64_t n) {
    return !refute_trial(n, 2, prime_isqrt(n) + 1);
}

bool refute_trial(uint64_t n, uint64_t from, uint64_t to) {
    if (n < 2) {
        return true;
    }
    if (from <= 2 && 2 < to && n % 2 == 0) {
        return true;
    }
    for (uint64_t divisor = from < 3 ? 3 : from | 1; divisor < to; divisor += 2) {
        if (n % divisor == 0) {
            return true;
        }
    }
    return false;
}
