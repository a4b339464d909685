#include "prime_oracle.h"

#include "../support.h"

#include <stdlib.h>

__extension__ typedef unsigned __int128 uint128;

static uint64_t multiply(uint64_t a, uint64_t b, uint64_t n) {
    return (uint64_t)((uint128)a * b % n);
}

bool oracle_strong(uint64_t n, uint64_t base) {
    uint64_t d = n - 1, power = 1, square = base % n;
    int s = 0;
    for (; d % 2 == 0; d /= 2) {
        s++;
    }
    for (; d > 0; d /= 2) {
        power = d % 2 ? multiply(power, square, n) : power;
        square = multiply(square, square, n);
    }
    bool passes = power == 1 || power == n - 1;
    for (int r = 1; r < s; r++) {
        power = multiply(power, power, n);
        passes |= power == n - 1;
    }
    return passes;
}

bool oracle_is_prime(uint64_t n) {
    static const uint64_t bases[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37};
    if (n < 2) {
        return false;
    }
    for (size_t i = 0; i < COUNT_OF(bases); i++) {
        if (n % bases[i] == 0) {
            return n == bases[i];
        }
    }
    for (size_t i = 0; i < COUNT_OF(bases); i++) {
        if (!oracle_strong(n, bases[i])) {
            return false;
        }
    }
    return true;
}

static uint64_t subtract(uint64_t a, uint64_t b, uint64_t n) {
    return a >= b ? a - b : a + (n - b);
}

/* V_k, by the digits of k from the left. */
static uint64_t lucas_v(uint64_t k, uint64_t p, uint64_t n) {
    uint64_t v = 2 % n, w = p % n;
    for (int bit = 63; bit >= 0; bit--) {
        const uint64_t sum = subtract(multiply(v, w, n), p % n, n);
        if (k >> bit & 1) {
            v = sum;
            w = subtract(multiply(w, w, n), 2 % n, n);
        } else {
            w = sum;
            v = subtract(multiply(v, v, n), 2 % n, n);
        }
    }
    return v;
}

bool oracle_lucas(uint64_t n, uint64_t p) {
    uint64_t d = n + 1;
    int s = 0;
    for (; d % 2 == 0; d /= 2) {
        s++;
    }
    const uint64_t v = lucas_v(d, p, n);
    bool passes = v == 2 || v == n - 2;
    for (int r = 0; r < s - 1; r++) {
        passes |= lucas_v(d << r, p, n) == 0;
    }
    return passes;
}

unsigned char *oracle_sieve(uint64_t limit) {
    unsigned char *composite = calloc(limit + 1, 1);
    if (composite) {
        composite[0] = composite[1] = 1;
        for (uint64_t p = 2; p * p <= limit; p++) {
            for (uint64_t m = p * p; !composite[p] && m <= limit; m += p) {
                composite[m] = 1;
            }
        }
    }
    return composite;
}

uint64_t oracle_next_prime(uint64_t n) {
    do {
        n++;
    } while (!oracle_is_prime(n));
    return n;
}

#define MINUS_ONE UINT64_MAX

/* p * q with q = k * (p - less) + more: between 2^32 and 2^64, and both prime. */
static uint64_t product_of_kin(uint64_t *seed, uint64_t less, uint64_t more) {
    for (;;) {
        const uint64_t k = 1 + random_next(seed) % 6;
        const uint64_t p = oracle_next_prime(random_next(seed) >> (34 + random_next(seed) % 14));
        const uint64_t q = k * (p - less) + more;
        const uint128 product = (uint128)p * q;
        if (product >> 64 == 0 && product >> 32 != 0 && oracle_is_prime(q)) {
            return (uint64_t)product;
        }
    }
}

uint64_t oracle_fermat_like(uint64_t *seed) {
    return product_of_kin(seed, 1, 1);
}

uint64_t oracle_lucas_like(uint64_t *seed) {
    return random_next(seed) % 2 ? product_of_kin(seed, 1, MINUS_ONE)
                                 : product_of_kin(seed, MINUS_ONE, 1);
}

static uint64_t near_power_of_two(uint64_t *seed) {
    const uint64_t distance = random_next(seed) % 2000;
    return (UINT64_C(1) << random_next(seed) % 64) + distance - 1000;
}

static uint64_t sparse(uint64_t *seed) {
    uint64_t n = 1;
    for (uint64_t bits = 1 + random_next(seed) % 4; bits > 0; bits--) {
        n |= UINT64_C(1) << random_next(seed) % 64;
    }
    return random_next(seed) % 4 ? n : ~n | 1;
}

static uint64_t product_of_near_primes(uint64_t *seed) {
    const uint64_t p = oracle_next_prime(random_next(seed) >> (33 + random_next(seed) % 30));
    uint64_t q = p;
    for (uint64_t steps = random_next(seed) % 4; steps > 0; steps--) { /* 0: a square */
        q = oracle_next_prime(q);
    }
    return p * q;
}

uint64_t oracle_number(uint64_t *seed) {
    switch (random_next(seed) % 8) {
    case 0:
        return near_power_of_two(seed);
    case 1:
        return sparse(seed);
    case 2:
        return product_of_near_primes(seed);
    case 3:
        return oracle_fermat_like(seed);
    case 4:
        return oracle_lucas_like(seed);
    case 5:
        return oracle_next_prime(random_next(seed) >> (1 + random_next(seed) % 63));
    case 6:
        return random_next(seed) | 1;
    default:
        return random_next(seed) >> random_next(seed) % 64;
    }
}
