/* One number below 2^64. bpsw.h says why the answer is certain. */
#include "primes/bpsw.h"
#include "primes/montgomery.h"
#include "primes/primes.h"
#include "primes/pseudoprimes.h"
#include "primes/small_primes.h"

/* ---- the strong test to base 2 --------------------------------------------------------------- */

/* The power to begin with is that of the exponent's leading bits, which is a power of 2 less than n
 * and costs one division. */
static int first_bits(uint64_t n) {
    return n >> 63 ? 6 : n >> 31 ? 5 : 3;
}

static bool strong_base_2_64(uint64_t n) {
    const uint64_t inverse = montgomery_inverse(n);
    const uint64_t one = -n % n;
    const int s = __builtin_ctzll(n - 1);
    const uint64_t d = (n - 1) >> s;
    const int bits = 64 - __builtin_clzll(d);
    int left = bits > first_bits(n) ? bits - first_bits(n) : 0;
    uint64_t x = (uint64_t)(((prime_uint128)1 << (64 + (d >> left))) % n);
    while (left-- > 0) {
        x = montgomery_square(x, d >> left & 1, n, inverse);
    }
    if (x == one || x == n - one) {
        return true;
    }
    for (int r = 1; r < s; r++) {
        x = montgomery_square(x, 0, n, inverse);
        if (x == n - one) {
            return true;
        }
    }
    return false;
}

static bool strong_base_2_32(uint64_t n) {
    const uint64_t inverse = montgomery_inverse(n);
    const uint64_t one = -n % n;
    const int s = __builtin_ctzll(n - 1);
    const uint64_t d = (n - 1) >> s;
    const int bits = 64 - __builtin_clzll(d);
    int left = bits > 5 ? bits - 5 : 0;
    uint64_t x = (one << (d >> left)) % n;
    while (left-- > 0) {
        x = montgomery_square_32(x, d >> left & 1, n, inverse);
    }
    if (congruent_32(x, one, n) || congruent_32(x, n - one, n)) {
        return true;
    }
    for (int r = 1; r < s; r++) {
        x = montgomery_square_32(x, 0, n, inverse);
        if (congruent_32(x, n - one, n)) {
            return true;
        }
    }
    return false;
}

bool bpsw_strong_base_2(uint64_t n) {
    return n <= UINT32_MAX ? strong_base_2_32(n) : strong_base_2_64(n);
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

static uint32_t search_lucas_parameter(uint64_t n, uint32_t p) {
    const uint64_t root = prime_isqrt(n);
    if (root * root == n) { /* then no symbol is -1 */
        return 0;
    }
    for (;; p++) {
        const int symbol = jacobi((uint64_t)p * p - 4, n);
        if (symbol <= 0) {
            return symbol < 0 ? p : 0;
        }
    }
}

/* The first values of P^2 - 4 are squares times 5, 3, 21 and 2, whose symbols reciprocity gives from n
 * modulo 840: 15 of 16 numbers need no search. */
uint32_t bpsw_lucas_parameter(uint64_t n) {
    const unsigned m = (unsigned)(n % 840);
    const bool minus_5 = (0x0cu >> m % 5) & 1;    /* 2, 3 */
    const bool minus_3 = (0x0a0u >> m % 12) & 1;  /* 5, 7 */
    const bool minus_n_3 = m % 3 == 2;            /* (n | 3) */
    const bool minus_n_7 = (0x68u >> m % 7) & 1;  /* (n | 7): 3, 5, 6 */
    const bool minus_2 = (0x28u >> m % 8) & 1;    /* 3, 5 */
    const bool minus_21 = minus_n_3 != minus_n_7; /* 21 = 1 (mod 4) */
    const uint32_t p = minus_5 ? 3 : minus_3 ? 4 : minus_21 ? 5 : minus_2 ? 6 : 0;
    return p ? p : search_lucas_parameter(n, 9); /* 7 and 8: 5 and 15, which are settled too */
}

bool bpsw_lucas(uint64_t n, uint32_t parameter) {
    const uint64_t inverse = montgomery_inverse(n);
    const uint64_t one = -n % n;
    const uint64_t two = add_modulo(one, one, n);
    const uint64_t p = (uint64_t)((prime_uint128)one * parameter % n);
    /* n + 1 fits, as 2^64 - 1 is a multiple of 3. */
    const int s = __builtin_ctzll(n + 1);
    const uint64_t d = (n + 1) >> s;
    /* v = V_k and w = V_(k+1), which of them is squared next comes first: that is w for a bit that is
     * 1. In the end it is v, as beyond the last bit there is no 1. */
    const uint64_t turns = d ^ (d << 1);
    uint64_t first = p, second = two;
    for (int bit = 63 - __builtin_clzll(d); bit >= 0; bit--) {
        const uint64_t twice = montgomery_product(first, first, two, n, inverse);
        const uint64_t sum = montgomery_product(first, second, p, n, inverse);
        const bool turn = turns >> bit & 1;
        first = turn ? sum : twice;
        second = turn ? twice : sum;
    }
    uint64_t v = first;
    if (v == two || v == n - two) {
        return true;
    }
    for (int r = 0; r < s - 1; r++) {
        if (v == 0) {
            return true;
        }
        v = montgomery_product(v, v, two, n, inverse);
    }
    return false;
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

/* Below the square of the first prime that is not tried there (101). */
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
    if (has_small_divisor(n)) {
        return false;
    }
    if (n <= UINT32_MAX) {
        return strong_base_2_32(n) && !bpsw_listed_pseudoprime((uint32_t)n);
    }
    if (!strong_base_2_64(n)) {
        return false;
    }
    const uint32_t parameter = bpsw_lucas_parameter(n);
    return parameter && bpsw_lucas(n, parameter);
}
