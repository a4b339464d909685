/* The batch test on AVX2: four numbers in a vector, whose one multiplication that is of use gives the
 * 64 bits of a product of 32, so numbers from 2^32 on have two digits. Residues are Montgomery's
 * (montgomery.h), with R = 2^32 below 2^32 and R = 2^64 from there on. */
#include "platform/intrinsics_x86.h"
#include "primes/batch_kernel.h"
#include "primes/montgomery.h"

typedef __m256i vec;

#define LANES 4

static inline vec set1(uint64_t a) {
    return _mm256_set1_epi64x((long long)a);
}

static inline vec load(const uint64_t *from) {
    return _mm256_loadu_si256((const __m256i *)from);
}

static inline vec add(vec a, vec b) {
    return _mm256_add_epi64(a, b);
}

static inline vec sub(vec a, vec b) {
    return _mm256_sub_epi64(a, b);
}

static inline vec and (vec a, vec b) {
    return _mm256_and_si256(a, b);
}

static inline vec or (vec a, vec b) {
    return _mm256_or_si256(a, b);
}

static inline vec high(vec a) {
    return _mm256_srli_epi64(a, 32);
}

static inline vec low(vec a) {
    return and(a, set1(UINT32_MAX));
}

/* Of the low halves. */
static inline vec mul(vec a, vec b) {
    return _mm256_mul_epu32(a, b);
}

static inline vec equal(vec a, vec b) {
    return _mm256_cmpeq_epi64(a, b);
}

static inline vec negative(vec a) {
    return _mm256_cmpgt_epi64(_mm256_setzero_si256(), a);
}

/* a < b, of numbers without a sign: all bits of a lane, or none. */
static inline vec less(vec a, vec b) {
    const vec sign = set1(UINT64_C(1) << 63);
    return _mm256_cmpgt_epi64(_mm256_xor_si256(b, sign), _mm256_xor_si256(a, sign));
}

/* a - b modulo n, both less than n. */
static inline vec subtract(vec a, vec b, vec n) {
    return add(sub(a, b), and(less(a, b), n));
}

static inline vec choose(vec second, vec a, vec b) {
    return _mm256_blendv_epi8(a, b, second);
}

/* ---- filter ---------------------------------------------------------------------------------- */

static void filter(const uint64_t *n, size_t count, size_t index, batch_queue *narrow,
                   batch_queue *wide, uint8_t *prime) {
    batch_filter_portable(n, count, index, 32, narrow, wide, prime);
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

static uint64_t any_lane(vec a) {
    uint64_t lanes[LANES];
    _mm256_storeu_si256((__m256i *)lanes, a);
    return lanes[0] | lanes[1] | lanes[2] | lanes[3];
}

static progress begin(const vec *h, int vectors) {
    vec all = _mm256_setzero_si256(), lowest = all;
    for (int i = 0; i < vectors; i++) {
        all = or (all, h[i]);
        lowest = or (lowest, and(h[i], sub(_mm256_setzero_si256(), h[i])));
    }
    return (progress){bits_of(any_lane(all)), bits_of(any_lane(lowest)) - 1};
}

static inline vec nothing_to_come(vec h, int left) {
    return equal(and(h, set1((UINT64_C(1) << left) - 1)), _mm256_setzero_si256());
}

/* h >> left is d, the odd part of h. */
static inline vec at_odd_part(vec h, int left) {
    const vec bit = set1(UINT64_C(1) << left);
    return and(nothing_to_come(h, left), equal(and(h, bit), bit));
}

static inline vec next_bit(vec h, int left) {
    return negative(_mm256_sll_epi64(h, _mm_cvtsi32_si128(64 - left)));
}

static inline void store_pass(uint8_t *pass, vec mask) {
    const int bits = _mm256_movemask_pd(_mm256_castsi256_pd(mask));
    for (int lane = 0; lane < LANES; lane++) {
        pass[lane] = bits >> lane & 1;
    }
}

/* 1 / n mod 2^32 in the low halves; the bits that are right double with each step, from 5 on. */
static inline vec inverse(vec n) {
    vec x = _mm256_xor_si256(add(add(n, n), n), set1(2));
    for (int step = 0; step < 3; step++) {
        x = mul(x, sub(set1(2), mul(n, x)));
    }
    return x;
}

/* R mod n of each number. */
static inline vec ones(const uint64_t *n, int bits) {
    uint64_t lanes[LANES];
    for (int lane = 0; lane < LANES; lane++) {
        lanes[lane] = bits == 32 ? (UINT64_C(1) << 32) % n[lane] : -n[lane] % n[lane];
    }
    return load(lanes);
}

/* ---- narrow numbers -------------------------------------------------------------------------- */

#define NARROW_VECTORS 4

/* a * a / 2^32 modulo n, doubled where `bit` is set. */
static inline vec square_narrow(vec a, vec bit, vec n, vec inv) {
    const vec square = mul(a, a);
    const vec rest = sub(high(square), high(mul(mul(square, inv), n)));
    const vec lifted = add(rest, and(negative(rest), n));
    const vec less_n = sub(add(lifted, and(lifted, bit)), n);
    return add(less_n, and(negative(less_n), n));
}

static void strong_narrow_group(const uint64_t *from, uint8_t *pass) {
    enum {
        V = NARROW_VECTORS
    };
    vec n[V], inv[V], h[V], x[V], one[V], passed[V];
    for (int i = 0; i < V; i++) {
        n[i] = load(from + i * LANES);
        h[i] = _mm256_srli_epi64(n[i], 1);
        inv[i] = inverse(n[i]);
        x[i] = one[i] = ones(from + i * LANES, 32);
        passed[i] = _mm256_setzero_si256();
    }
    progress at = begin(h, V);
    while (at.left > 0) {
        for (int i = 0; i < V; i++) {
            x[i] = square_narrow(x[i], next_bit(h[i], at.left), n[i], inv[i]);
        }
        at.left--;
        for (int i = 0; i < V && at.left <= at.checked; i++) {
            const vec is_one = equal(x[i], one[i]), is_minus_one = equal(x[i], sub(n[i], one[i]));
            passed[i] = or (passed[i], or (and(is_minus_one, nothing_to_come(h[i], at.left)),
                                           and(is_one, at_odd_part(h[i], at.left))));
        }
    }
    for (int i = 0; i < V; i++) {
        store_pass(pass + i * LANES, passed[i]);
    }
}

/* ---- wide numbers ---------------------------------------------------------------------------- */

typedef struct modulus {
    vec n, n_high, inverse;
} modulus;

static inline modulus modulus_of(vec n) {
    return (modulus){n, high(n), inverse(n)};
}

/* A product: its digits 0 and 1, of which only the low 32 bits count, and its upper half. */
typedef struct four_digits {
    vec digit0, digit1, upper;
} four_digits;

static inline four_digits square(vec a) {
    const vec a1 = high(a), p0 = mul(a, a), p1 = mul(a, a1);
    const vec sum = add(high(p0), p1);
    const vec digit1 = add(low(sum), p1);
    return (four_digits){p0, digit1, add(add(mul(a1, a1), high(sum)), high(digit1))};
}

static inline four_digits multiply(vec a, vec b) {
    const vec a1 = high(a), b1 = high(b), p0 = mul(a, b);
    const vec sum = add(high(p0), mul(a, b1));
    const vec digit1 = add(low(sum), mul(a1, b));
    return (four_digits){p0, digit1, add(add(mul(a1, b1), high(sum)), high(digit1))};
}

/* p / 2^64 modulo n, less than n, of a p less than n * 2^64: the multiple of n that has the same lower
 * half is subtracted. */
static inline vec reduce(four_digits p, const modulus *m) {
    const vec q0 = mul(p.digit0, m->inverse);
    const vec taken1 = add(high(mul(q0, m->n)), mul(q0, m->n_high));
    const vec q1 = mul(sub(p.digit1, taken1), m->inverse);
    const vec carried = add(low(taken1), mul(q1, m->n));
    const vec taken = add(add(high(taken1), mul(q1, m->n_high)), high(carried));
    return subtract(p.upper, taken, m->n);
}

/* 2 a modulo n where `bit` is set, else a. */
static inline vec double_where(vec bit, vec a, vec n) {
    return choose(bit, a, subtract(a, sub(n, a), n));
}

#define WIDE_VECTORS 4

static void strong_wide_group(const uint64_t *from, uint8_t *pass) {
    enum {
        V = WIDE_VECTORS
    };
    modulus m[V];
    vec h[V], x[V], one[V], passed[V];
    for (int i = 0; i < V; i++) {
        m[i] = modulus_of(load(from + i * LANES));
        h[i] = _mm256_srli_epi64(m[i].n, 1);
        x[i] = one[i] = ones(from + i * LANES, 64);
        passed[i] = _mm256_setzero_si256();
    }
    progress at = begin(h, V);
    while (at.left > 0) {
        for (int i = 0; i < V; i++) {
            x[i] = double_where(next_bit(h[i], at.left), reduce(square(x[i]), &m[i]), m[i].n);
        }
        at.left--;
        for (int i = 0; i < V && at.left <= at.checked; i++) {
            const vec is_one = equal(x[i], one[i]);
            const vec is_minus_one = equal(x[i], sub(m[i].n, one[i]));
            passed[i] = or (passed[i], or (and(is_minus_one, nothing_to_come(h[i], at.left)),
                                           and(is_one, at_odd_part(h[i], at.left))));
        }
    }
    for (int i = 0; i < V; i++) {
        store_pass(pass + i * LANES, passed[i]);
    }
}

#define WIDE_LUCAS_VECTORS 2

/* `squared` and `product` are V_k and V_(k+1) of k = h >> left, in the order that a bit leads to: one
 * comes of a square and the other one of a product. A step needs their product, and the square of `next`:
 * of `squared` again, unless the bit that comes is not the same as the one before. Where only zeros are
 * to come that is V_k. */

static inline vec parameter_residues(const uint64_t *n, const uint64_t *p, vec one) {
    uint64_t lanes[LANES];
    _mm256_storeu_si256((__m256i *)lanes, one);
    for (int lane = 0; lane < LANES; lane++) {
        lanes[lane] = (uint64_t)((prime_uint128)lanes[lane] * p[lane] % n[lane]);
    }
    return load(lanes);
}

static void lucas_wide_group(const uint64_t *from, const uint64_t *parameters, uint8_t *pass) {
    enum {
        V = WIDE_LUCAS_VECTORS
    };
    modulus m[V];
    vec h[V], turns[V], squared[V], product[V], next[V], two[V], p[V], passed[V];
    for (int i = 0; i < V; i++) {
        const uint64_t *n = from + i * LANES;
        const vec one = ones(n, 64);
        m[i] = modulus_of(load(n));
        h[i] = _mm256_srli_epi64(add(m[i].n, set1(1)), 1);
        two[i] = subtract(one, sub(m[i].n, one), m[i].n);
        turns[i] = _mm256_xor_si256(h[i], add(h[i], h[i]));
        p[i] = parameter_residues(n, parameters + i * LANES, one);
        passed[i] = _mm256_setzero_si256();
    }
    progress at = begin(h, V);
    for (int i = 0; i < V; i++) {
        squared[i] = two[i]; /* k = 0 */
        product[i] = p[i];
        next[i] = choose(next_bit(h[i], at.left), two[i], p[i]);
    }
    while (at.left > 0) {
        for (int i = 0; i < V; i++) {
            const vec n = m[i].n, turn = next_bit(turns[i], at.left);
            product[i] = subtract(reduce(multiply(squared[i], product[i]), &m[i]), p[i], n);
            squared[i] = subtract(reduce(square(next[i]), &m[i]), two[i], n);
            next[i] = choose(turn, squared[i], product[i]);
        }
        at.left--;
        for (int i = 0; i < V && at.left <= at.checked; i++) {
            const vec is_two = or (equal(next[i], two[i]), equal(next[i], sub(m[i].n, two[i])));
            const vec is_zero = at.left > 0 ? equal(next[i], _mm256_setzero_si256()) : set1(0);
            passed[i] = or (passed[i], or (and(is_two, at_odd_part(h[i], at.left)),
                                           and(is_zero, nothing_to_come(h[i], at.left))));
        }
    }
    for (int i = 0; i < V; i++) {
        store_pass(pass + i * LANES, passed[i]);
    }
}

/* ---- the kernel ------------------------------------------------------------------------------ */

static void strong_narrow(const uint64_t *n, size_t count, uint8_t *pass) {
    for (size_t i = 0; i < count; i += NARROW_VECTORS * LANES) {
        strong_narrow_group(n + i, pass + i);
    }
}

static void strong_wide(const uint64_t *n, size_t count, uint8_t *pass) {
    for (size_t i = 0; i < count; i += WIDE_VECTORS * LANES) {
        strong_wide_group(n + i, pass + i);
    }
}

static void lucas_wide(const uint64_t *n, const uint64_t *p, size_t count, uint8_t *pass) {
    for (size_t i = 0; i < count; i += WIDE_LUCAS_VECTORS * LANES) {
        lucas_wide_group(n + i, p + i, pass + i);
    }
}

const batch_kernel BATCH_AVX2 = {
    .filter = filter,
    .narrow_bits = 32,
    .group = 16,
    .strong_narrow = strong_narrow,
    .strong_wide = strong_wide,
    .lucas_wide = lucas_wide,
};
