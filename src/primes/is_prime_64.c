/* One number below 2^64. bpsw.h says why the answer is certain. */
#include "primes/bpsw.h"
#include "primes/montgomery.h"
#include "primes/primes.h"
#include "primes/pseudoprimes.h"
#include "primes/small_primes.h"

#include <assert.h>

/* ---- the strong test to base 2 --------------------------------------------------------------- */

/* The power to begin with is that of the exponent's first bits, and costs one division. */
#define FIRST_BITS 5

/* Twice the same, but for the arithmetic. As one function with the arithmetic for a parameter gcc 12 made
 * it slower: numbers below 2^32 took 36 ns for 27. */
static inline bool strong_base_2_full(const montgomery *m) {
    const uint64_t n = m->n, one = m->one;
    const int s = __builtin_ctzll(n - 1);
    const uint64_t d = (n - 1) >> s;
    const int bits = 64 - __builtin_clzll(d);
    int left = bits > FIRST_BITS ? bits - FIRST_BITS : 0;
    uint64_t x = montgomery_power_of_2(d >> left, m);
    while (left-- > 0) {
        x = montgomery_square(x, d >> left & 1, n, m->inverse);
    }
    if (x == one || x == n - one) {
        return true;
    }
    for (int r = 1; r < s; r++) {
        x = montgomery_square(x, 0, n, m->inverse);
        if (x == n - one) {
            return true;
        }
    }
    return false;
}

static inline bool strong_base_2_loose(const montgomery *m) {
    const uint64_t n = m->n, one = m->one;
    const int s = __builtin_ctzll(n - 1);
    const uint64_t d = (n - 1) >> s;
    const int bits = 64 - __builtin_clzll(d);
    int left = bits > FIRST_BITS ? bits - FIRST_BITS : 0;
    uint64_t x = montgomery_power_of_2(d >> left, m);
    while (left-- > 0) {
        x = montgomery_square_loose(x, d >> left & 1, n, m->inverse);
    }
    if (congruent_loose(x, one, n) || congruent_loose(x, n - one, n)) {
        return true;
    }
    for (int r = 1; r < s; r++) {
        x = montgomery_square_loose(x, 0, n, m->inverse);
        if (congruent_loose(x, n - one, n)) {
            return true;
        }
    }
    return false;
}

static inline bool strong_base_2(const montgomery *m) {
    return m->n < MONTGOMERY_LOOSE_END ? strong_base_2_loose(m) : strong_base_2_full(m);
}

bool bpsw_strong_base_2(uint64_t n) {
    const montgomery m = montgomery_of(n);
    return strong_base_2(&m);
}

/* ---- the Lucas test -------------------------------------------------------------------------- */

/* (a | n) for odd n. */
static int jacobi(uint64_t a, uint64_t n) {
    int sign = 1;
    a %= n;
    while (a != 0) {
        const int twos = __builtin_ctzll(a);
        a >>= twos;
        if ((twos & 1) && (n % 8 == 3 || n % 8 == 5)) {
            sign = -sign;
        }
        if (a % 4 == 3 && n % 4 == 3) {
            sign = -sign;
        }
        const uint64_t rest = n % a;
        n = a;
        a = rest;
    }
    return n == 1 ? sign : 0;
}

/* P^2 - 4 is a square times 5, 3, 21 and 2 for P = 3, 4, 5 and 6, and 7 and 8 have 5 and 15 again.
 * Reciprocity gives the symbols from n modulo 840. Here for each odd n without the
 * factors 3, 5 and 7 the first P whose symbol is -1, 0 where none of them is: for 1 number of 16. A table, as jumps would be guessed wrong. */
#define MINUS_5(n)  ((n) % 5 == 2 || (n) % 5 == 3)
#define MINUS_3(n)  ((n) % 12 == 5 || (n) % 12 == 7)
#define MINUS_21(n) (((n) % 3 == 2) != ((n) % 7 == 3 || (n) % 7 == 5 || (n) % 7 == 6))
#define MINUS_2(n)  ((n) % 8 == 3 || (n) % 8 == 5)
#define FIRST_P(n)  (MINUS_5(n) ? 3 : MINUS_3(n) ? 4 : MINUS_21(n) ? 5 : MINUS_2(n) ? 6 : 0)

#define FIRST_PS_2(n) FIRST_P(n), FIRST_P((n) + 2)
#define FIRST_PS_10(n)                                                                             \
    FIRST_PS_2(n), FIRST_PS_2((n) + 4), FIRST_PS_2((n) + 8), FIRST_PS_2((n) + 12),                 \
        FIRST_PS_2((n) + 16)
#define FIRST_PS_60(n)                                                                             \
    FIRST_PS_10(n), FIRST_PS_10((n) + 20), FIRST_PS_10((n) + 40), FIRST_PS_10((n) + 60),           \
        FIRST_PS_10((n) + 80), FIRST_PS_10((n) + 100)

static const uint8_t FIRST_PS[] = {FIRST_PS_60(1),   FIRST_PS_60(121), FIRST_PS_60(241),
                                   FIRST_PS_60(361), FIRST_PS_60(481), FIRST_PS_60(601),
                                   FIRST_PS_60(721)};
static_assert(sizeof FIRST_PS == 840 / 2, "one for each odd number");

/* The next P whose symbol is not known by then, up to 26: that of P^2 - 4 is that of this prime. */
static const struct {
    uint8_t p, prime;
    uint32_t squares; /* modulo the prime, by bit */
} NEXT_PS[] = {
    {9, 11, 0x23a}, {11, 13, 0x161a}, {15, 17, 0x1a316}, {17, 19, 0x30af2}, {21, 23, 0x5335e},
};
#define FAR_P 27

static uint32_t search_far_parameter(uint64_t n) {
    const uint64_t root = prime_isqrt(n);
    if (root * root == n) { /* then no symbol is -1 */
        return 0;
    }
    for (uint32_t p = FAR_P;; p++) {
        const int symbol = jacobi((uint64_t)p * p - 4, n);
        if (symbol <= 0) {
            return symbol < 0 ? p : 0;
        }
    }
}

static uint32_t search_lucas_parameter(uint64_t n) {
    for (size_t i = 0; i < sizeof NEXT_PS / sizeof NEXT_PS[0]; i++) {
        const unsigned prime = NEXT_PS[i].prime, rest = (unsigned)(n % prime);
        const bool square = NEXT_PS[i].squares >> rest & 1;
        const bool turned = prime % 4 == 3 && n % 4 == 3; /* (prime | n) is -(n | prime) */
        if (rest == 0) {
            return 0;
        }
        if (square == turned) {
            return NEXT_PS[i].p;
        }
    }
    return search_far_parameter(n);
}

uint32_t bpsw_lucas_parameter(uint64_t n) {
    const uint32_t p = FIRST_PS[n % 840 / 2];
    return p != 0 ? p : search_lucas_parameter(n);
}

/* A bit 0 of d leads from V_k and V_(k+1) to V_2k and V_(2k+1), a bit 1 to V_(2k+1) and V_(2k+2).
 *
 *   product  V_(2k+1) = V_k V_(k+1) - P, for both bits
 *   squared  V_2k = V_k^2 - 2 for a bit 0, V_(2k+2) = V_(k+1)^2 - 2 for a bit 1
 *
 * If the next bit is the same as this one, the next step squares `squared` again; else it squares
 * `product`. */
typedef struct lucas_pair {
    uint64_t squared, product;
} lucas_pair;

/* The value to square next, when the bits below `left` are still to come; turns = d ^ (d << 1).
 * At the end (left = 0) it is V_d, as if a bit 0 came next.
 *
 * No jump depends on the bit: one would cost half a misprediction a step. A number of 64 bits
 * took 287 ns with jumps and takes 233 ns without (AMD EPYC, `bench/run is_prime`). One choice
 * a step is enough, as either bit needs the product of both values. */
static inline uint64_t lucas_next(lucas_pair v, uint64_t turns, int left) {
    return turns >> left & 1 ? v.product : v.squared;
}

/* The first steps go in plain numbers: after them k < 16, and with P < 16 V_(k+1) < P^16 < 2^64. */
#define LUCAS_PLAIN_STEPS 3
#define LUCAS_PLAIN_END   16

typedef struct lucas_test {
    lucas_pair v;
    uint64_t two, p;
    uint64_t turns;
    int left, s;
} lucas_test;

static inline lucas_test lucas_begin(const montgomery *m, uint32_t parameter) {
    /* n + 1 fits, as 2^64 - 1 is a multiple of 3. */
    const int s = __builtin_ctzll(m->n + 1);
    const uint64_t d = (m->n + 1) >> s, turns = d ^ (d << 1);
    int left = 63 - __builtin_clzll(d);
    lucas_pair v = {.squared = (uint64_t)parameter * parameter - 2, .product = parameter};
    if (parameter < LUCAS_PLAIN_END && left >= LUCAS_PLAIN_STEPS) {
        for (int step = 0; step < LUCAS_PLAIN_STEPS; step++, left--) {
            const uint64_t next = lucas_next(v, turns, left);
            v = (lucas_pair){next * next - 2, v.squared * v.product - parameter};
        }
    }
    const uint64_t to = montgomery_factor(m);
    return (lucas_test){
        .v = {montgomery_product(v.squared, to, 0, m->n, m->inverse),
              montgomery_product(v.product, to, 0, m->n, m->inverse)},
        .two = add_modulo(m->one, m->one, m->n),
        .p = montgomery_product(parameter, to, 0, m->n, m->inverse),
        .turns = turns,
        .left = left,
        .s = s,
    };
}

static bool lucas_end(const montgomery *m, const lucas_test *t) {
    const uint64_t n = m->n, two = t->two, p = t->p, turns = t->turns;
    lucas_pair v = t->v;
    for (int left = t->left; left > 0; left--) {
        const uint64_t next = lucas_next(v, turns, left);
        v = (lucas_pair){montgomery_product(next, next, two, n, m->inverse),
                         montgomery_product(v.squared, v.product, p, n, m->inverse)};
    }
    uint64_t last = lucas_next(v, turns, 0);
    if (last == two || last == n - two) {
        return true;
    }
    for (int r = 0; r < t->s - 1; r++) {
        if (last == 0) {
            return true;
        }
        last = montgomery_product(last, last, two, n, m->inverse);
    }
    return false;
}

bool bpsw_lucas(uint64_t n, uint32_t parameter) {
    const montgomery m = montgomery_of(n);
    const lucas_test t = lucas_begin(&m, parameter);
    return lucas_end(&m, &t);
}

/* ---- what the strong test lets pass below 2^32 ------------------------------------------------ */

bool bpsw_listed_pseudoprime(uint32_t n) {
    const uint32_t hash = pseudoprime_hash(n);
    if (!(PRIME_PSEUDOPRIMES_FILTER[hash / 32] >> hash % 32 & 1)) {
        return false;
    }
    size_t low = 0, high = PRIME_PSEUDOPRIMES_COUNT;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (PRIME_PSEUDOPRIMES[middle] < n) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < PRIME_PSEUDOPRIMES_COUNT && PRIME_PSEUDOPRIMES[low] == n;
}

/* ---- all together ---------------------------------------------------------------------------- */

/* In groups, as a jump that is guessed wrong costs more than some divisions. */
static bool has_small_divisor(uint64_t n) {
    return (IS_MULTIPLE(n, 3) | IS_MULTIPLE(n, 5) | IS_MULTIPLE(n, 7) | IS_MULTIPLE(n, 11) |
            IS_MULTIPLE(n, 13)) ||
           (IS_MULTIPLE(n, 17) | IS_MULTIPLE(n, 19) | IS_MULTIPLE(n, 23) | IS_MULTIPLE(n, 29) |
            IS_MULTIPLE(n, 31) | IS_MULTIPLE(n, 37)) ||
           (IS_MULTIPLE(n, 41) | IS_MULTIPLE(n, 43) | IS_MULTIPLE(n, 47) | IS_MULTIPLE(n, 53) |
            IS_MULTIPLE(n, 59) | IS_MULTIPLE(n, 61)) ||
           (IS_MULTIPLE(n, 67) | IS_MULTIPLE(n, 71) | IS_MULTIPLE(n, 73) | IS_MULTIPLE(n, 79) |
            IS_MULTIPLE(n, 83) | IS_MULTIPLE(n, 89) | IS_MULTIPLE(n, 97));
}

/* For n > 227: as long as a division costs less than the tests that it saves. */
static bool has_larger_divisor(uint64_t n) {
    return (IS_MULTIPLE(n, 101) | IS_MULTIPLE(n, 103) | IS_MULTIPLE(n, 107) | IS_MULTIPLE(n, 109) |
            IS_MULTIPLE(n, 113) | IS_MULTIPLE(n, 127) | IS_MULTIPLE(n, 131) | IS_MULTIPLE(n, 137) |
            IS_MULTIPLE(n, 139) | IS_MULTIPLE(n, 149) | IS_MULTIPLE(n, 151) |
            IS_MULTIPLE(n, 157)) ||
           (IS_MULTIPLE(n, 163) | IS_MULTIPLE(n, 167) | IS_MULTIPLE(n, 173) | IS_MULTIPLE(n, 179) |
            IS_MULTIPLE(n, 181) | IS_MULTIPLE(n, 191) | IS_MULTIPLE(n, 193) | IS_MULTIPLE(n, 197) |
            IS_MULTIPLE(n, 199) | IS_MULTIPLE(n, 211) | IS_MULTIPLE(n, 223) | IS_MULTIPLE(n, 227));
}

/* Below 101^2, where a prime that is tried could be the number itself. */
static bool is_prime_small(uint64_t n) {
    for (uint64_t divisor = 3; divisor * divisor <= n; divisor += 2) {
        if (n % divisor == 0) {
            return false;
        }
    }
    return n > 1;
}

bool is_prime_64(uint64_t n) {
    if (n % 2 == 0) {
        return n == 2;
    }
    if (n < 101 * 101) {
        return is_prime_small(n);
    }
    if (has_small_divisor(n) || has_larger_divisor(n)) {
        return false;
    }
    const montgomery m = montgomery_of(n);
    if (!strong_base_2(&m)) {
        return false;
    }
    if (n <= UINT32_MAX) {
        return !bpsw_listed_pseudoprime((uint32_t)n);
    }
    const uint32_t parameter = bpsw_lucas_parameter(n);
    const lucas_test t = lucas_begin(&m, parameter);
    return parameter && lucas_end(&m, &t);
}
