/* The batch test in plain C.
 *
 * A step of a power waits for the one before it, some 13 cycles, in which the multipliers could do
 * three or four: so as many numbers are gone through side by side. */
#include "primes/batch_kernel.h"
#include "primes/montgomery.h"
#include "primes/primes.h"
#include "primes/small_primes.h"

#define LANES 4

/* ---- filter ---------------------------------------------------------------------------------- */

/* Numbers below it are settled one by one: a prime that is tried must not refute itself. */
#define SMALL_END 16384

static unsigned coarse(uint64_t n) {
    return n % 2 & !(IS_MULTIPLE(n, 3) | IS_MULTIPLE(n, 5) | IS_MULTIPLE(n, 7) |
                     IS_MULTIPLE(n, 11) | IS_MULTIPLE(n, 13));
}

static unsigned fine(uint64_t n) {
    return !(IS_MULTIPLE(n, 17) | IS_MULTIPLE(n, 19) | IS_MULTIPLE(n, 23) | IS_MULTIPLE(n, 29) |
             IS_MULTIPLE(n, 31) | IS_MULTIPLE(n, 37) | IS_MULTIPLE(n, 41) | IS_MULTIPLE(n, 43) |
             IS_MULTIPLE(n, 47) | IS_MULTIPLE(n, 53) | IS_MULTIPLE(n, 59) | IS_MULTIPLE(n, 61) |
             IS_MULTIPLE(n, 67) | IS_MULTIPLE(n, 71) | IS_MULTIPLE(n, 73) | IS_MULTIPLE(n, 79) |
             IS_MULTIPLE(n, 83) | IS_MULTIPLE(n, 89) | IS_MULTIPLE(n, 97) | IS_MULTIPLE(n, 101) |
             IS_MULTIPLE(n, 103) | IS_MULTIPLE(n, 107) | IS_MULTIPLE(n, 109) | IS_MULTIPLE(n, 113) |
             IS_MULTIPLE(n, 127));
}

/* Those that may be prime; the small ones among them, which are few in most lists, are settled. */
static size_t filter_coarse(const uint64_t *n, size_t count, uint16_t *left, uint8_t *prime) {
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (n[i] < SMALL_END) {
            prime[i] = is_prime_64(n[i]);
        } else {
            left[kept] = (uint16_t)i;
            kept += coarse(n[i]);
        }
    }
    return kept;
}

void batch_filter_portable(const uint64_t *n, size_t count, size_t index, unsigned narrow_bits,
                           batch_queue *narrow, batch_queue *wide, uint8_t *prime) {
    uint16_t left[BATCH_BLOCK];
    const size_t kept = filter_coarse(n, count, left, prime);
    size_t narrow_end = narrow->count, wide_end = wide->count;
    for (size_t k = 0; k < kept; k++) {
        const uint64_t candidate = n[left[k]];
        const unsigned keep = fine(candidate), is_narrow = candidate >> narrow_bits == 0;
        narrow->n[narrow_end] = wide->n[wide_end] = candidate;
        narrow->index[narrow_end] = wide->index[wide_end] = index + left[k];
        narrow_end += keep & is_narrow;
        wide_end += keep & !is_narrow;
    }
    narrow->count = narrow_end;
    wide->count = wide_end;
}

static void filter(const uint64_t *n, size_t count, size_t index, batch_queue *narrow,
                   batch_queue *wide, uint8_t *prime) {
    batch_filter_portable(n, count, index, 32, narrow, wide, prime);
}

/* ---- the strong test to base 2 --------------------------------------------------------------- */

/* LANES numbers on their way through the exponents (n - 1) / 2, from the left: with h the exponent,
 * x = 2^(h >> left) after each step. The strong test asks for these powers from h >> (s - 1), which is
 * d, down to h. */
typedef struct strong {
    uint64_t n[LANES], inverse[LANES], one[LANES], x[LANES], h[LANES];
    int s[LANES];
    int left, checked; /* the powers with left <= checked concern at least one of the numbers */
} strong;

static int bits_of(uint64_t n) {
    return n ? 64 - __builtin_clzll(n) : 0;
}

static void strong_begin(strong *t, const uint64_t *n) {
    uint64_t all = 0;
    t->checked = 0;
    for (int i = 0; i < LANES; i++) {
        t->n[i] = n[i];
        t->inverse[i] = montgomery_inverse(n[i]);
        t->one[i] = -n[i] % n[i];
        t->h[i] = (n[i] - 1) / 2;
        t->s[i] = __builtin_ctzll(n[i] - 1);
        t->checked = t->s[i] - 1 > t->checked ? t->s[i] - 1 : t->checked;
        all |= t->h[i];
    }
    t->left = bits_of(all);
}

/* Whether x[i], which is 1 or -1 as told, shows that the number passes. */
static uint8_t strong_passes(const strong *t, int i, bool is_one, bool is_minus_one) {
    return (is_minus_one && t->left < t->s[i]) || (is_one && t->left == t->s[i] - 1);
}

/* The first bits cost a division; what can result, at most 2^31, is less than every wide number. */
#define FIRST_BITS 5

static void strong_wide_group(const uint64_t *n, uint8_t *pass) {
    strong t;
    strong_begin(&t, n);
    t.left -= FIRST_BITS;
    for (int i = 0; i < LANES; i++) {
        t.x[i] = (uint64_t)(((prime_uint128)1 << (64 + (t.h[i] >> t.left))) % t.n[i]);
        pass[i] = 0;
    }
    /* Where a number has left > s - 1 only, 2^(h >> left) was at most 2^31 and so not 1 or -1. */
    for (;;) {
        for (int i = 0; i < LANES && t.left <= t.checked; i++) {
            pass[i] |= strong_passes(&t, i, t.x[i] == t.one[i], t.x[i] == t.n[i] - t.one[i]);
        }
        if (t.left-- == 0) {
            return;
        }
        for (int i = 0; i < LANES; i++) {
            t.x[i] = montgomery_square(t.x[i], t.h[i] >> t.left & 1, t.n[i], t.inverse[i]);
        }
    }
}

static void strong_narrow_group(const uint64_t *n, uint8_t *pass) {
    strong t;
    strong_begin(&t, n);
    for (int i = 0; i < LANES; i++) {
        t.x[i] = t.one[i];
        pass[i] = 0;
    }
    while (t.left-- > 0) {
        for (int i = 0; i < LANES; i++) {
            t.x[i] = montgomery_square_loose(t.x[i], t.h[i] >> t.left & 1, t.n[i], t.inverse[i]);
        }
        for (int i = 0; i < LANES && t.left <= t.checked; i++) {
            pass[i] |= strong_passes(&t, i, congruent_loose(t.x[i], t.one[i], t.n[i]),
                                     congruent_loose(t.x[i], t.n[i] - t.one[i], t.n[i]));
        }
    }
}

static void strong_wide(const uint64_t *n, size_t count, uint8_t *pass) {
    for (size_t i = 0; i < count; i += LANES) {
        strong_wide_group(n + i, pass + i);
    }
}

static void strong_narrow(const uint64_t *n, size_t count, uint8_t *pass) {
    for (size_t i = 0; i < count; i += LANES) {
        strong_narrow_group(n + i, pass + i);
    }
}

/* ---- the Lucas test -------------------------------------------------------------------------- */

/* With h = (n + 1) / 2 and k = h >> left, `squared` and `product` are V_k and V_(k+1), in the order that a
 * bit leads to: one comes of a square and the other one of a product. A step needs their product, and the
 * square of `squared` again, unless the bit that comes is not the same as the one before (turns): then
 * that of `product`. */
typedef struct lucas {
    uint64_t n[LANES], inverse[LANES], two[LANES], p[LANES];
    uint64_t squared[LANES], product[LANES];
    uint64_t turns[LANES];
    int s[LANES];
    int left, checked;
} lucas;

static void lucas_begin(lucas *t, const uint64_t *n, const uint64_t *p) {
    uint64_t all = 0;
    t->checked = 0;
    for (int i = 0; i < LANES; i++) {
        const uint64_t one = -n[i] % n[i], h = (n[i] + 1) / 2;
        t->n[i] = n[i];
        t->inverse[i] = montgomery_inverse(n[i]);
        t->two[i] = add_modulo(one, one, n[i]);
        t->p[i] = (uint64_t)((prime_uint128)one * p[i] % n[i]);
        t->turns[i] = h ^ (h << 1);
        t->squared[i] = t->two[i]; /* k = 0 */
        t->product[i] = t->p[i];
        t->s[i] = __builtin_ctzll(n[i] + 1);
        t->checked = t->s[i] - 1 > t->checked ? t->s[i] - 1 : t->checked;
        all |= h;
    }
    t->left = bits_of(all);
}

static uint64_t lucas_next(const lucas *t, int i) {
    return t->turns[i] >> t->left & 1 ? t->product[i] : t->squared[i];
}

static void lucas_step(lucas *t, int i) {
    const uint64_t n = t->n[i], inverse = t->inverse[i], next = lucas_next(t, i);
    t->product[i] = montgomery_product(t->squared[i], t->product[i], t->p[i], n, inverse);
    t->squared[i] = montgomery_product(next, next, t->two[i], n, inverse);
}

/* Asked where only zeros are to come, so V_k is next. */
static uint8_t lucas_passes(const lucas *t, int i) {
    const uint64_t v = lucas_next(t, i);
    const bool is_two = v == t->two[i] || v == t->n[i] - t->two[i];
    return (is_two && t->left == t->s[i] - 1) || (v == 0 && 0 < t->left && t->left < t->s[i]);
}

static void lucas_group(const uint64_t *n, const uint64_t *p, uint8_t *pass) {
    lucas t;
    lucas_begin(&t, n, p);
    for (int i = 0; i < LANES; i++) {
        pass[i] = 0;
    }
    while (t.left > 0) {
        for (int i = 0; i < LANES; i++) {
            lucas_step(&t, i);
        }
        t.left--;
        for (int i = 0; i < LANES && t.left <= t.checked; i++) {
            pass[i] |= lucas_passes(&t, i);
        }
    }
}

static void lucas_wide(const uint64_t *n, const uint64_t *p, size_t count, uint8_t *pass) {
    for (size_t i = 0; i < count; i += LANES) {
        lucas_group(n + i, p + i, pass + i);
    }
}

const batch_kernel BATCH_PORTABLE = {
    .filter = filter,
    .narrow_bits = 32,
    .group = LANES,
    .strong_narrow = strong_narrow,
    .strong_wide = strong_wide,
    .lucas_wide = lucas_wide,
};
