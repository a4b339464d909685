#include "primes/refute_vector.h"

#include <string.h>

#define SPOKES 8
#define TURN   30

static const uint32_t SPOKE[SPOKES] = {1, 7, 11, 13, 17, 19, 23, 29};

/* The lowest 32 bits of the integer that the product is nearest to. */
static uint32_t rounded(double product) {
    const double sum = product + REFUTE_ROUND;
    uint64_t bits;
    memcpy(&bits, &sum, sizeof bits);
    return (uint32_t)bits;
}

static bool divides(uint32_t divisor, double x, uint64_t n) {
    return rounded((double)n * x) * divisor == (uint32_t)n;
}

static bool refute_near(uint64_t n, uint64_t from, uint64_t to) {
    for (uint64_t turn = from; turn < to; turn += TURN) {
        unsigned found = 0;
        for (unsigned s = 0; s < SPOKES; s++) {
            const uint32_t divisor = (uint32_t)turn + SPOKE[s];
            found |= divides(divisor, 1 / (double)divisor, n);
        }
        if (found) {
            return true;
        }
    }
    return false;
}

static bool refute_far(uint64_t n, uint64_t from, uint64_t to) {
    double x[SPOKES];
    for (unsigned s = 0; s < SPOKES; s++) {
        x[s] = 1 / (double)(from - TURN + SPOKE[s]);
    }
    for (uint64_t turn = from; turn < to; turn += TURN) {
        unsigned found = 0;
        for (unsigned s = 0; s < SPOKES; s++) {
            const uint32_t divisor = (uint32_t)turn + SPOKE[s];
            const double e = 1 - (double)divisor * x[s];
            x[s] += x[s] * (e + e * e);
            found |= divides(divisor, x[s], n);
        }
        if (found) {
            return true;
        }
    }
    return false;
}

bool refute_vector_portable(uint64_t n, uint64_t from, uint64_t far, uint64_t to) {
    return refute_near(n, from, far) || refute_far(n, far, to);
}
