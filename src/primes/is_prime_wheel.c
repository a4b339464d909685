#include "primes/primes.h"

/* The distances from a multiple of 30 that 2, 3 and 5 do not divide, and the gap after each. */
#define SPOKES 8
static const uint64_t SPOKE[SPOKES] = {1, 7, 11, 13, 17, 19, 23, 29};
static const uint64_t GAP[SPOKES] = {6, 4, 2, 4, 2, 4, 6, 2};

bool is_prime_wheel(uint64_t n) {
    return !refute_wheel(n, 2, prime_isqrt(n) + 1);
}

static bool in_range_and_divides(uint64_t divisor, uint64_t n, uint64_t from, uint64_t to) {
    return from <= divisor && divisor < to && n % divisor == 0;
}

bool refute_wheel(uint64_t n, uint64_t from, uint64_t to) {
    if (n < 2) {
        return true;
    }
    if (in_range_and_divides(2, n, from, to) || in_range_and_divides(3, n, from, to) ||
        in_range_and_divides(5, n, from, to)) {
        return true;
    }
    if (from < 7) {
        from = 7;
    }

    unsigned spoke = 0;
    while (spoke < SPOKES - 1 && SPOKE[spoke] < from % 30) {
        spoke++;
    }
    uint64_t divisor = from - from % 30 + SPOKE[spoke];
    while (divisor < to) {
        if (n % divisor == 0) {
            return true;
        }
        divisor += GAP[spoke];
        spoke = (spoke + 1) % SPOKES;
    }
    return false;
}
