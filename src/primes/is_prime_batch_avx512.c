/* The batch test on AVX-512 with IFMA, whose two instructions add the low or the high half of a
 * product of 52 bits: eight numbers in a vector, several vectors side by side, as each instruction
 * waits four cycles for the one before it.
 *
 * Residues are Montgomery's (montgomery.h), narrow ones (n < 2^52) of one limb with R = 2^52, wide
 * ones of two limbs of 52 bits with R = 2^104. The multiplication reads the low 52 bits of its factors
 * alone, so a limb may have more above them once they were added to the next one. */
#include "platform/intrinsics_x86.h"
#include "primes/batch_kernel.h"
#include "primes/primes.h"
#include "primes/small_primes.h"

#include <assert.h>

typedef __m512i vec;

#define INLINE static inline __attribute__((always_inline))

#define LANES     8
#define LIMB      52
#define LIMB_MASK ((UINT64_C(1) << LIMB) - 1)

static inline vec set1(uint64_t a) {
    return _mm512_set1_epi64((long long)a);
}

static inline vec add(vec a, vec b) {
    return _mm512_add_epi64(a, b);
}

static inline vec sub(vec a, vec b) {
    return _mm512_sub_epi64(a, b);
}

static inline vec add_low(vec sum, vec a, vec b) {
    return _mm512_madd52lo_epu64(sum, a, b);
}

static inline vec add_high(vec sum, vec a, vec b) {
    return _mm512_madd52hi_epu64(sum, a, b);
}

static inline vec zero(void) {
    return _mm512_setzero_si512();
}

/* a plus n if a is negative, else a; a >= -n. */
static inline vec lift(vec a, vec n) {
    return _mm512_min_epu64(a, add(a, n));
}

/* a minus n if that is not negative, else a; a >= 0. */
static inline vec lower(vec a, vec n) {
    return _mm512_min_epu64(a, sub(a, n));
}

/* ---- filter ---------------------------------------------------------------------------------- */

/* Numbers below it are settled one by one: a prime that is tried must not refute itself, and the strong
 * test wants 2^14. */
#define SMALL_END 16384

/* The primes are tried in groups. A number is first made smaller than 2^52 without a change modulo the
 * product M of a group: n = top * 2^48 + rest becomes top * (2^48 mod M) + rest, for which M must be
 * less than 6.4e10. Then p divides it if and only if n * inverse mod 2^52 is less than 2^52 / p. */
typedef struct divisor {
    uint64_t inverse;
    uint64_t minus_beyond; /* the least value that no multiple has, below 0 */
} divisor;

#define DIVISORS_MOST 9

typedef struct divisor_group {
    uint64_t weight; /* 2^48 mod M */
    divisor divisors[DIVISORS_MOST];
} divisor_group;

#define DIVISOR(p)                                                                                 \
    { INVERSE_64(p) & LIMB_MASK, 0 - (LIMB_MASK / (p) + 1) }
#define WEIGHT(product) ((UINT64_C(1) << 48) % (product))

#define COARSE_DIVISORS 9
#define FINE_GROUPS     5
#define FINE_DIVISORS   5

static const divisor_group COARSE = {WEIGHT(3 * UINT64_C(5) * 7 * 11 * 13 * 17 * 19 * 23 * 29),
                                     {DIVISOR(3), DIVISOR(5), DIVISOR(7), DIVISOR(11), DIVISOR(13),
                                      DIVISOR(17), DIVISOR(19), DIVISOR(23), DIVISOR(29)}};

static const divisor_group FINE[FINE_GROUPS] = {
    {WEIGHT(31 * UINT64_C(37) * 41 * 43 * 47),
     {DIVISOR(31), DIVISOR(37), DIVISOR(41), DIVISOR(43), DIVISOR(47)}},
    {WEIGHT(53 * UINT64_C(59) * 61 * 67 * 71),
     {DIVISOR(53), DIVISOR(59), DIVISOR(61), DIVISOR(67), DIVISOR(71)}},
    {WEIGHT(73 * UINT64_C(79) * 83 * 89 * 97),
     {DIVISOR(73), DIVISOR(79), DIVISOR(83), DIVISOR(89), DIVISOR(97)}},
    {WEIGHT(101 * UINT64_C(103) * 107 * 109 * 113),
     {DIVISOR(101), DIVISOR(103), DIVISOR(107), DIVISOR(109), DIVISOR(113)}},
    {WEIGHT(127 * UINT64_C(131) * 137 * 139 * 149),
     {DIVISOR(127), DIVISOR(131), DIVISOR(137), DIVISOR(139), DIVISOR(149)}},
};

/* Hides from the compiler which group it is, so that the constants are read from memory. If gcc
 * 12 knows them, it builds each by three instructions, anew for every vector: a number below
 * 2^52 took 6.3 ns, and takes 5.5 ns when they are read (AMD EPYC, `bench/run is_prime`). */
INLINE const divisor_group *read_from(const divisor_group *group) {
    __asm__("" : "+r"(group));
    return group;
}

/* Negative in the lanes that one of the group's first `count` primes divides. */
INLINE vec multiples(vec n, const divisor_group *group, int count) {
    const vec rest = _mm512_and_si512(n, set1((UINT64_C(1) << 48) - 1));
    const vec folded = add_low(rest, _mm512_srli_epi64(n, 48), set1(group->weight));
    vec sign = zero();
#pragma GCC unroll 9
    for (int i = 0; i < count; i++) {
        const divisor *d = &group->divisors[i];
        sign = _mm512_or_si512(sign, add_low(set1(d->minus_beyond), folded, set1(d->inverse)));
    }
    return sign;
}

/* Into a register and then to memory: some processors write a compressed vector very slowly. */
static inline size_t append(uint64_t *to, size_t end, __mmask8 kept, vec a) {
    _mm512_storeu_si512(to + end, _mm512_maskz_compress_epi64(kept, a));
    return end + (unsigned)__builtin_popcount(kept);
}

static inline __mmask8 first_lanes(size_t count) {
    const unsigned lanes = count < LANES ? (1u << count) - 1 : 0xff;
    return (__mmask8)lanes;
}

/* Numbers on their way through the filter, and where they stand in the batch. */
typedef struct candidates {
    size_t count;
    uint64_t n[BATCH_BLOCK + LANES], index[BATCH_BLOCK + LANES];
} candidates;

INLINE void keep(candidates *to, __mmask8 kept, vec n, vec index) {
    append(to->index, to->count, kept, index);
    to->count = append(to->n, to->count, kept, n);
}

static void settle_small(__mmask8 small, const uint64_t *n, uint8_t *prime) {
    for (unsigned left = small; left != 0; left &= left - 1) {
        const int lane = __builtin_ctz(left);
        prime[lane] = is_prime_64(n[lane]);
    }
}

INLINE void keep_coarse(candidates *to, __mmask8 there, vec n, vec index) {
    const vec divided = multiples(n, read_from(&COARSE), COARSE_DIVISORS);
    keep(to, there & (__mmask8)~_mm512_movepi64_mask(divided), n, index);
}

/* Where some numbers of a vector are even the odd ones wait until there are enough for a vector. */
static void filter_coarse(const uint64_t *n, size_t count, size_t index, uint8_t *prime,
                          candidates *left) {
    candidates odd;
    odd.count = left->count = 0;
    vec place = add(set1(index), _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0));
    for (size_t i = 0; i < count; i += LANES, place = add(place, set1(LANES))) {
        const __mmask8 there = first_lanes(count - i);
        const vec v = _mm512_maskz_loadu_epi64(there, n + i);
        const __mmask8 small = _mm512_mask_cmplt_epu64_mask(there, v, set1(SMALL_END));
        if (small) {
            settle_small(small, n + i, prime + i);
        }
        const __mmask8 wanted = _mm512_mask_test_epi64_mask(there & (__mmask8)~small, v, set1(1));
        if (wanted == 0xff) {
            keep_coarse(left, wanted, v, place);
        } else {
            keep(&odd, wanted, v, place);
        }
    }
    for (size_t i = 0; i < odd.count; i += LANES) {
        keep_coarse(left, first_lanes(odd.count - i), _mm512_loadu_si512(odd.n + i),
                    _mm512_loadu_si512(odd.index + i));
    }
}

static void queue(batch_queue *to, __mmask8 kept, vec n, vec index) {
    append(to->index, to->count, kept, index);
    to->count = append(to->n, to->count, kept, n);
}

static void filter(const uint64_t *n, size_t count, size_t index, batch_queue *narrow,
                   batch_queue *wide, uint8_t *prime) {
    candidates left;
    filter_coarse(n, count, index, prime, &left);
    for (size_t i = 0; i < left.count; i += LANES) {
        const vec v = _mm512_loadu_si512(left.n + i);
        const vec place = _mm512_loadu_si512(left.index + i);
        vec divided = zero();
        for (int group = 0; group < FINE_GROUPS; group++) {
            divided =
                _mm512_or_si512(divided, multiples(v, read_from(&FINE[group]), FINE_DIVISORS));
        }
        const __mmask8 kept =
            first_lanes(left.count - i) & (__mmask8)~_mm512_movepi64_mask(divided);
        const __mmask8 is_narrow = _mm512_mask_cmple_epu64_mask(kept, v, set1(LIMB_MASK));
        if (is_narrow) {
            queue(narrow, is_narrow, v, place);
        }
        if (is_narrow != kept) {
            queue(wide, kept & (__mmask8)~is_narrow, v, place);
        }
    }
}

/* ---- what the tests have in common ----------------------------------------------------------- */

/* The exponents h of a group of numbers, gone through from the left: `left` bits are still to come. A
 * test asks for its values where h >> left is d * 2^r, that is where the bits to come are all 0; beyond
 * the first one (left > checked) that is so for no number. */
typedef struct progress {
    int left, checked;
} progress;

static int bits_of(uint64_t n) {
    return n ? 64 - __builtin_clzll(n) : 0;
}

static progress begin(const vec *h, int vectors) {
    vec all = zero(), lowest = zero();
    for (int i = 0; i < vectors; i++) {
        all = _mm512_or_si512(all, h[i]);
        lowest = _mm512_or_si512(lowest, _mm512_and_si512(h[i], sub(zero(), h[i])));
    }
    return (progress){bits_of((uint64_t)_mm512_reduce_or_epi64(all)),
                      bits_of((uint64_t)_mm512_reduce_or_epi64(lowest)) - 1};
}

static inline __mmask8 nothing_to_come(vec h, int left) {
    return _mm512_testn_epi64_mask(h, set1((UINT64_C(1) << left) - 1));
}

/* h >> left is d, the odd part of h. */
static inline __mmask8 at_odd_part(vec h, int left) {
    return _mm512_mask_test_epi64_mask(nothing_to_come(h, left), h, set1(UINT64_C(1) << left));
}

static inline __mmask8 next_bit(vec h, int left) {
    /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): bits are left */
    return _mm512_test_epi64_mask(h, set1(UINT64_C(1) << (left - 1)));
}

static inline void store_pass(uint8_t *pass, __mmask8 mask) {
    _mm_storel_epi64((__m128i *)pass, _mm_movm_epi8(mask));
}

/* 1 / n mod 2^52 in the low bits; those that are right double with each step, from 5 on. */
static inline vec inverse(vec n) {
    vec x = _mm512_xor_si512(add(add(n, n), n), set1(2));
    for (int step = 0; step < 4; step++) {
        x = add_low(zero(), x, sub(set1(2), add_low(zero(), n, x)));
    }
    return x;
}

/* ---- narrow numbers -------------------------------------------------------------------------- */

#define NARROW_VECTORS 6

/* 2^(52 + e) mod n, where 2^e < n. The quotient is at most 2^52, so it is off by one at most. */
static inline vec power_of_2_narrow(vec e, vec n) {
    const __m512d power = _mm512_scalef_pd(_mm512_set1_pd(0x1p52), _mm512_cvtepu64_pd(e));
    const vec quotient = _mm512_cvttpd_epu64(_mm512_div_pd(power, _mm512_cvtepu64_pd(n)));
    const vec two_to = _mm512_sllv_epi64(set1(UINT64_C(1) << LIMB), e);
    const vec rest = sub(two_to, _mm512_mullo_epi64(quotient, n));
    return lower(lift(rest, n), n);
}

/* start + a * b / R modulo n, between start - n and start + n, of a, b < n: the low halves of a * b and of
 * q * n are the same, and cancel. */
static inline vec reduce_narrow(vec start, vec a, vec b, vec n, vec inv) {
    const vec high = add_high(start, a, b);
    const vec q = add_low(zero(), add_low(zero(), a, b), inv);
    return sub(high, add_high(zero(), q, n));
}

static void strong_narrow_group(const uint64_t *from, uint8_t *pass) {
    enum {
        V = NARROW_VECTORS
    };
    vec n[V], inv[V], h[V], x[V], one[V];
    __mmask8 passed[V];
    for (int i = 0; i < V; i++) {
        n[i] = _mm512_loadu_si512(from + i * LANES);
        h[i] = _mm512_srli_epi64(n[i], 1);
        inv[i] = inverse(n[i]);
        one[i] = power_of_2_narrow(zero(), n[i]);
        passed[i] = 0;
    }
    progress at = begin(h, V);
    /* The first bits cost nothing. Powers up to 2^7, or 2^31 where numbers are as great, are neither
     * 1 nor -1 modulo n, so nothing is lost if left begins below checked. */
    at.left -= at.left < 32 ? 3 : 5;
    for (int i = 0; i < V; i++) {
        x[i] = power_of_2_narrow(_mm512_srlv_epi64(h[i], set1((uint64_t)at.left)), n[i]);
    }
    while (at.left > 0) {
        for (int i = 0; i < V; i++) {
            const vec square = lift(reduce_narrow(zero(), x[i], x[i], n[i], inv[i]), n[i]);
            const __mmask8 bit = next_bit(h[i], at.left);
            x[i] = lower(_mm512_mask_add_epi64(square, bit, square, square), n[i]);
        }
        at.left--;
        for (int i = 0; i < V && at.left <= at.checked; i++) {
            const __mmask8 is_one = _mm512_cmpeq_epi64_mask(x[i], one[i]);
            const __mmask8 is_minus_one = _mm512_cmpeq_epi64_mask(x[i], sub(n[i], one[i]));
            passed[i] |= (__mmask8)((is_minus_one & nothing_to_come(h[i], at.left)) |
                                    (is_one & at_odd_part(h[i], at.left)));
        }
    }
    for (int i = 0; i < V; i++) {
        store_pass(pass + i * LANES, passed[i]);
    }
}

#define NARROW_LUCAS_VECTORS 3

/* a * one mod n, a < 64 */
static inline vec small_residue_narrow(vec a, vec one, vec n) {
    const vec product = _mm512_mullo_epi64(a, one);
    const __m512d quotient = _mm512_div_pd(_mm512_cvtepu64_pd(product), _mm512_cvtepu64_pd(n));
    const vec q = _mm512_cvttpd_epu64(quotient);
    return lower(lift(sub(product, _mm512_mullo_epi64(q, n)), n), n);
}

/* In both Lucas tests `squared` and `product` are V_k and V_(k+1) of k = h >> left, in the order that a bit
 * leads to: one comes of a square and the other one of a product. A step needs their product, and the
 * square of `next`: of `squared` again, unless the bit that comes is not the same as the one before.
 * Where only zeros are to come that is V_k. */
static inline vec turns_of(vec h) {
    return _mm512_xor_si512(h, add(h, h));
}

static void lucas_narrow_group(const uint64_t *from, const uint64_t *parameters, uint8_t *pass) {
    enum {
        V = NARROW_LUCAS_VECTORS
    };
    vec n[V], inv[V], h[V], turns[V], squared[V], product[V], next[V], two[V], p[V];
    __mmask8 passed[V];
    for (int i = 0; i < V; i++) {
        n[i] = _mm512_loadu_si512(from + i * LANES);
        h[i] = _mm512_srli_epi64(add(n[i], set1(1)), 1);
        inv[i] = inverse(n[i]);
        const vec one = power_of_2_narrow(zero(), n[i]);
        two[i] = lower(add(one, one), n[i]);
        p[i] = small_residue_narrow(_mm512_loadu_si512(parameters + i * LANES), one, n[i]);
        turns[i] = turns_of(h[i]);
        passed[i] = 0;
    }
    progress at = begin(h, V);
    for (int i = 0; i < V; i++) {
        squared[i] = two[i]; /* k = 0 */
        product[i] = p[i];
        next[i] = _mm512_mask_mov_epi64(two[i], next_bit(h[i], at.left), p[i]);
    }
    while (at.left > 0) {
        for (int i = 0; i < V; i++) {
            const __mmask8 turn = next_bit(turns[i], at.left);
            product[i] = lower(
                lift(reduce_narrow(sub(n[i], p[i]), squared[i], product[i], n[i], inv[i]), n[i]),
                n[i]);
            squared[i] = lower(
                lift(reduce_narrow(sub(n[i], two[i]), next[i], next[i], n[i], inv[i]), n[i]), n[i]);
            next[i] = _mm512_mask_mov_epi64(squared[i], turn, product[i]);
        }
        at.left--;
        for (int i = 0; i < V && at.left <= at.checked; i++) {
            const __mmask8 is_two = _mm512_cmpeq_epi64_mask(next[i], two[i]) |
                                    _mm512_cmpeq_epi64_mask(next[i], sub(n[i], two[i]));
            const __mmask8 is_zero = at.left > 0 ? _mm512_testn_epi64_mask(next[i], next[i]) : 0;
            passed[i] |= (__mmask8)((is_two & at_odd_part(h[i], at.left)) |
                                    (is_zero & nothing_to_come(h[i], at.left)));
        }
    }
    for (int i = 0; i < V; i++) {
        store_pass(pass + i * LANES, passed[i]);
    }
}

/* ---- wide numbers ---------------------------------------------------------------------------- */

#define WIDE_VECTORS       6
#define WIDE_LUCAS_VECTORS 3
#define MOST_VECTORS       6

/* low + 2^52 * high, where only the low 52 bits of `low` count. Residues may be greater than n, and are
 * less than 2^72: their product is next to nothing beside n * 2^104, so a reduction gives less than
 * n + 2^40 and no step needs a correction; and that of two `high`, less than 2^40, has no upper half that
 * would have to be computed. */
typedef struct wide {
    vec low, high;
} wide;

typedef struct modulus {
    vec low, high;
    vec minus_inverse; /* -1 / n mod 2^52 */
    vec n;
} modulus;

static inline modulus modulus_of(vec n) {
    const vec low = _mm512_and_si512(n, set1(LIMB_MASK));
    return (modulus){low, _mm512_srli_epi64(n, LIMB), sub(zero(), inverse(low)), n};
}

static inline wide carry(wide a) {
    return (wide){a.low, add(a.high, _mm512_srli_epi64(a.low, LIMB))};
}

/* Products of several vectors at once, step by step for all of them: a step waits for the one before it,
 * and the processor does not look far enough ahead to find the next vector's by itself. */
#define EACH(i) for (int i = 0; i < vectors; i++)

/* (t0 + t1 * 2^52 + t2 * 2^104 + t3 * 2^156 + a multiple of n) / 2^104. The low limb of the result has
 * its carry still to give, and is less than 2^55. */
INLINE void reduce_wide(wide *result, const vec *t0, vec *t1, vec *t2, vec *t3, const modulus *m,
                        int vectors) {
    vec q[MOST_VECTORS];
    EACH(i) {
        q[i] = add_low(zero(), t0[i], m[i].minus_inverse);
    }
    EACH(i) { /* what makes t0 zero carries 1 out of it, unless it is zero */
        t1[i] = _mm512_mask_add_epi64(t1[i], _mm512_test_epi64_mask(t0[i], t0[i]), t1[i], set1(1));
    }
    EACH(i) {
        t1[i] = add_high(t1[i], q[i], m[i].low);
    }
    EACH(i) {
        t2[i] = add_high(t2[i], q[i], m[i].high);
    }
    EACH(i) {
        t1[i] = add_low(t1[i], q[i], m[i].high);
    }
    EACH(i) {
        q[i] = add_low(zero(), t1[i], m[i].minus_inverse);
    }
    EACH(i) {
        t1[i] = add_low(t1[i], q[i], m[i].low);
    }
    EACH(i) {
        t2[i] = add_high(t2[i], q[i], m[i].low);
    }
    EACH(i) {
        t3[i] = add_high(t3[i], q[i], m[i].high);
    }
    EACH(i) {
        t2[i] = add_low(t2[i], q[i], m[i].high);
    }
    EACH(i) {
        result[i] = (wide){add(t2[i], _mm512_srli_epi64(t1[i], LIMB)), t3[i]};
    }
}

/* a * a / 2^104 + start */
INLINE void square_wide(wide *result, const wide *a, const wide *start, const modulus *m,
                        int vectors) {
    vec t0[MOST_VECTORS], t1[MOST_VECTORS], t2[MOST_VECTORS], t3[MOST_VECTORS];
    EACH(i) {
        t0[i] = add_low(zero(), a[i].low, a[i].low);
    }
    EACH(i) {
        t1[i] = add_high(zero(), a[i].low, a[i].low);
        t2[i] = add_low(start[i].low, a[i].high, a[i].high);
    }
    EACH(i) {
        const vec twice = add(a[i].high, a[i].high);
        t1[i] = add_low(t1[i], a[i].low, twice);
        t2[i] = add_high(t2[i], a[i].low, twice);
        t3[i] = start[i].high;
    }
    reduce_wide(result, t0, t1, t2, t3, m, vectors);
}

/* a * b / 2^104 + start */
INLINE void multiply_wide(wide *result, const wide *a, const wide *b, const wide *start,
                          const modulus *m, int vectors) {
    vec t0[MOST_VECTORS], t1[MOST_VECTORS], t2[MOST_VECTORS], t3[MOST_VECTORS];
    EACH(i) {
        t0[i] = add_low(zero(), a[i].low, b[i].low);
    }
    EACH(i) {
        t1[i] = add_low(zero(), a[i].high, b[i].low);
        t2[i] = add_low(start[i].low, a[i].high, b[i].high);
    }
    EACH(i) {
        t1[i] = add_high(t1[i], a[i].low, b[i].low);
        t2[i] = add_high(t2[i], a[i].high, b[i].low);
    }
    EACH(i) {
        t1[i] = add_low(t1[i], a[i].low, b[i].high);
        t2[i] = add_high(t2[i], a[i].low, b[i].high);
        t3[i] = start[i].high;
    }
    reduce_wide(result, t0, t1, t2, t3, m, vectors);
}

/* a, or a - n if that is not negative; both limbs as they should be. */
static inline wide lower_wide(wide a, const modulus *m) {
    const vec low = _mm512_and_si512(a.low, set1(LIMB_MASK));
    const vec less_low = sub(low, m->low);
    const vec less_high = add(sub(a.high, m->high), _mm512_srai_epi64(less_low, 63));
    const __mmask8 fits = _mm512_cmpge_epi64_mask(less_high, zero());
    return (wide){_mm512_mask_and_epi64(low, fits, less_low, set1(LIMB_MASK)),
                  _mm512_mask_mov_epi64(a.high, fits, less_high)};
}

/* In 64 bits, of a less than n. */
static inline vec join(wide a) {
    return _mm512_or_si512(_mm512_slli_epi64(a.high, LIMB), a.low);
}

/* 2^104 mod n, n >= 2^52 + 1. The quotient is less than 2^52, of which the multiplication reads no more,
 * and may be off by one: the rest is that of n, then one n more or less. */
static inline wide one_wide(const modulus *m) {
    const __m512d quotient = _mm512_div_pd(_mm512_set1_pd(0x1p104), _mm512_cvtepu64_pd(m->n));
    const vec q = _mm512_cvttpd_epu64(quotient);
    const vec product_low = add_low(zero(), q, m->low);
    const vec product_high = add(add_high(zero(), q, m->low), _mm512_mullo_epi64(q, m->high));
    const vec low = sub(zero(), product_low);
    const vec high = add(sub(set1(UINT64_C(1) << LIMB), product_high), _mm512_srai_epi64(low, 63));
    const __mmask8 negative = _mm512_cmplt_epi64_mask(high, zero());
    const vec masked = _mm512_and_si512(low, set1(LIMB_MASK));
    const wide rest = {_mm512_mask_add_epi64(masked, negative, masked, m->low),
                       _mm512_mask_add_epi64(high, negative, high, m->high)};
    return lower_wide(carry(rest), m);
}

#define WINDOW 3 /* bits of the exponent in one go: shifts by up to 7 are what the limbs can take */

static inline wide shift_wide(wide a, vec by) {
    return carry((wide){_mm512_sllv_epi64(a.low, by), _mm512_sllv_epi64(a.high, by)});
}

/* The bits of h from `left` on, as many as `mask` has. */
static inline vec bits_from(vec h, int left, uint64_t mask) {
    return _mm512_and_si512(_mm512_srl_epi64(h, _mm_cvtsi32_si128(left)), set1(mask));
}

static void strong_wide_group(const uint64_t *from, uint8_t *pass) {
    enum {
        V = WIDE_VECTORS
    };
    wide nothing[V];
    modulus m[V];
    wide x[V];
    vec h[V], one[V];
    __mmask8 passed[V];
    for (int i = 0; i < V; i++) {
        m[i] = modulus_of(_mm512_loadu_si512(from + i * LANES));
        h[i] = _mm512_srli_epi64(m[i].n, 1);
        x[i] = one_wide(&m[i]);
        one[i] = join(x[i]);
        nothing[i] = (wide){zero(), zero()};
        passed[i] = 0;
    }
    progress at = begin(h, V);
    /* Powers up to 2^7 are neither 1 nor -1, so nothing is lost if left begins below checked. */
    at.left -= WINDOW;
    for (int i = 0; i < V; i++) {
        x[i] = shift_wide(x[i], bits_from(h[i], at.left, (1u << WINDOW) - 1));
    }
    for (; at.left - WINDOW > at.checked; at.left -= WINDOW) {
        for (int bit = 1; bit < WINDOW; bit++) {
            square_wide(x, x, nothing, m, V);
            for (int i = 0; i < V; i++) {
                x[i] = carry(x[i]);
            }
        }
        square_wide(x, x, nothing, m, V);
        for (int i = 0; i < V; i++) {
            x[i] = shift_wide(x[i], bits_from(h[i], at.left - WINDOW, (1u << WINDOW) - 1));
        }
    }
    while (at.left > 0) {
        at.left--;
        square_wide(x, x, nothing, m, V);
        for (int i = 0; i < V; i++) {
            x[i] = shift_wide(x[i], bits_from(h[i], at.left, 1));
        }
        for (int i = 0; i < V && at.left <= at.checked; i++) {
            const vec residue = join(lower_wide(lower_wide(x[i], &m[i]), &m[i]));
            const __mmask8 is_one = _mm512_cmpeq_epi64_mask(residue, one[i]);
            const __mmask8 is_minus_one = _mm512_cmpeq_epi64_mask(residue, sub(m[i].n, one[i]));
            passed[i] |= (__mmask8)((is_minus_one & nothing_to_come(h[i], at.left)) |
                                    (is_one & at_odd_part(h[i], at.left)));
        }
    }
    for (int i = 0; i < V; i++) {
        store_pass(pass + i * LANES, passed[i]);
    }
}

/* multiple * n - a; multiple <= 64, a at most as much. */
static inline wide negate_wide(uint64_t multiple, wide a, const modulus *m) {
    const vec times = set1(multiple);
    const vec low = sub(add_low(zero(), m->low, times), _mm512_and_si512(a.low, set1(LIMB_MASK)));
    const vec high = sub(add_high(_mm512_mullo_epi64(m->high, times), m->low, times), a.high);
    return (wide){_mm512_and_si512(low, set1(LIMB_MASK)), add(high, _mm512_srai_epi64(low, LIMB))};
}

static inline wide choose(__mmask8 second, wide a, wide b) {
    return (wide){_mm512_mask_mov_epi64(a.low, second, b.low),
                  _mm512_mask_mov_epi64(a.high, second, b.high)};
}

/* What is subtracted in a step, 2 and P, is there as a number to add: n - 2 and 64 n - P, so values
 * have up to 71 bits. */
static void lucas_wide_group(const uint64_t *from, const uint64_t *parameters, uint8_t *pass) {
    enum {
        V = WIDE_LUCAS_VECTORS
    };
    modulus m[V];
    wide squared[V], product[V], next[V], one[V], two[V], p[V], minus_two[V], minus_p[V],
        nothing[V];
    wide plain[V];
    vec h[V], turns[V], joined_two[V];
    __mmask8 passed[V];
    for (int i = 0; i < V; i++) {
        m[i] = modulus_of(_mm512_loadu_si512(from + i * LANES));
        h[i] = _mm512_srli_epi64(add(m[i].n, set1(1)), 1);
        turns[i] = turns_of(h[i]);
        one[i] = one_wide(&m[i]);
        two[i] = lower_wide(
            carry((wide){add(one[i].low, one[i].low), add(one[i].high, one[i].high)}), &m[i]);
        joined_two[i] = join(two[i]);
        const vec parameter = _mm512_loadu_si512(parameters + i * LANES);
        p[i] = (wide){add_low(zero(), one[i].low, parameter),
                      add_low(add_high(zero(), one[i].low, parameter), one[i].high, parameter)};
        minus_two[i] = negate_wide(1, two[i], &m[i]);
        minus_p[i] = negate_wide(BATCH_PARAMETER_END, p[i], &m[i]);
        nothing[i] = (wide){zero(), zero()};
        passed[i] = 0;
    }
    progress at = begin(h, V);
    for (int i = 0; i < V; i++) {
        const __mmask8 odd = next_bit(h[i], at.left);
        squared[i] = two[i]; /* k = 0 */
        product[i] = p[i];
        next[i] = choose(odd, two[i], p[i]);
    }
    while (at.left > 0) {
        multiply_wide(product, squared, product, minus_p, m, V);
        square_wide(squared, next, minus_two, m, V);
        for (int i = 0; i < V; i++) {
            const __mmask8 turn = next_bit(turns[i], at.left);
            squared[i] = carry(squared[i]);
            product[i] = carry(product[i]);
            next[i] = choose(turn, squared[i], product[i]);
        }
        if (--at.left > at.checked) {
            continue;
        }
        multiply_wide(plain, next, one, nothing, m, V);
        for (int i = 0; i < V; i++) {
            const vec residue = join(lower_wide(carry(plain[i]), &m[i]));
            const __mmask8 is_two = _mm512_cmpeq_epi64_mask(residue, joined_two[i]) |
                                    _mm512_cmpeq_epi64_mask(residue, sub(m[i].n, joined_two[i]));
            const __mmask8 is_zero = at.left > 0 ? _mm512_testn_epi64_mask(residue, residue) : 0;
            passed[i] |= (__mmask8)((is_two & at_odd_part(h[i], at.left)) |
                                    (is_zero & nothing_to_come(h[i], at.left)));
        }
    }
    for (int i = 0; i < V; i++) {
        store_pass(pass + i * LANES, passed[i]);
    }
}

/* ---- the kernel ------------------------------------------------------------------------------ */

#define GROUP 48 /* a multiple of the numbers in each test's vectors */

#define EACH_GROUP(vectors, call)                                                                  \
    static_assert(GROUP % ((vectors)*LANES) == 0, "a group is whole");                             \
    for (size_t i = 0; i < count; i += (vectors)*LANES) {                                          \
        call;                                                                                      \
    }

static void strong_narrow(const uint64_t *n, size_t count, uint8_t *pass) {
    EACH_GROUP(NARROW_VECTORS, strong_narrow_group(n + i, pass + i))
}

static void strong_wide(const uint64_t *n, size_t count, uint8_t *pass) {
    EACH_GROUP(WIDE_VECTORS, strong_wide_group(n + i, pass + i))
}

static void lucas_narrow(const uint64_t *n, const uint64_t *p, size_t count, uint8_t *pass) {
    EACH_GROUP(NARROW_LUCAS_VECTORS, lucas_narrow_group(n + i, p + i, pass + i))
}

static void lucas_wide(const uint64_t *n, const uint64_t *p, size_t count, uint8_t *pass) {
    EACH_GROUP(WIDE_LUCAS_VECTORS, lucas_wide_group(n + i, p + i, pass + i))
}

const batch_kernel BATCH_AVX512 = {
    .filter = filter,
    .narrow_bits = LIMB,
    .group = GROUP,
    .strong_narrow = strong_narrow,
    .strong_wide = strong_wide,
    .lucas_narrow = lucas_narrow,
    .lucas_wide = lucas_wide,
};
