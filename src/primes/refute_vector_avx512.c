#include "primes/refute_vector.h"

#include "platform/intrinsics_x86.h"

#define VECTORS 8 /* of one turn each, so that none waits for the one before */
#define TURN    30

typedef struct block {
    __m512d divisors; /* those of the first turn */
    __m512i integers; /* the same */
    __m512d x[VECTORS];
    __m512d n;
    __m512i low; /* n's lowest 32 bits, eight times, with zeros between */
} block;

/* The block with these divisors; x is for those of the block before. */
static block block_at(uint64_t n, uint64_t from) {
    const __m512i spokes = _mm512_setr_epi64(1, 7, 11, 13, 17, 19, 23, 29);
    block b;
    b.integers = _mm512_add_epi64(_mm512_set1_epi64((long long)from), spokes);
    b.divisors = _mm512_cvtepu64_pd(b.integers);
    for (int v = 0; v < VECTORS; v++) {
        const __m512d back = _mm512_set1_pd(REFUTE_BLOCK - v * TURN);
        b.x[v] = _mm512_div_pd(_mm512_set1_pd(1), _mm512_sub_pd(b.divisors, back));
    }
    b.n = _mm512_set1_pd((double)n);
    b.low = _mm512_set1_epi64((long long)(n & UINT32_MAX));
    return b;
}

static inline __m512d corrected(__m512d x, __m512d divisors) {
    const __m512d e = _mm512_fnmadd_pd(divisors, x, _mm512_set1_pd(1));
    return _mm512_fmadd_pd(_mm512_fmadd_pd(e, e, e), x, x);
}

/* Whether one of the block's divisors divides n. With `far` known where it is inlined, no jump. */
static inline __attribute__((always_inline)) bool divides(block *b, bool far) {
    __mmask16 found = 0;
#pragma GCC unroll 8
    for (int v = 0; v < VECTORS; v++) {
        const __m512d divisors = _mm512_add_pd(b->divisors, _mm512_set1_pd(v * TURN));
        const __m512i integers = _mm512_add_epi64(b->integers, _mm512_set1_epi64(v * TURN));
        b->x[v] = far ? corrected(b->x[v], divisors) : _mm512_div_pd(_mm512_set1_pd(1), divisors);
        const __m512d sum = _mm512_fmadd_pd(b->n, b->x[v], _mm512_set1_pd(REFUTE_ROUND));
        const __m512i product = _mm512_mul_epu32(_mm512_castpd_si512(sum), integers);
        found |= _mm512_mask_cmpeq_epi32_mask(0x5555, product, b->low);
    }
    b->divisors = _mm512_add_pd(b->divisors, _mm512_set1_pd(REFUTE_BLOCK));
    b->integers = _mm512_add_epi64(b->integers, _mm512_set1_epi64(REFUTE_BLOCK));
    return found != 0;
}

bool refute_vector_avx512(uint64_t n, uint64_t from, uint64_t far, uint64_t to) {
    block b = block_at(n, from);
    bool found = false;
    for (; from < far && !found; from += REFUTE_BLOCK) {
        found = divides(&b, false);
    }
    for (; from < to && !found; from += REFUTE_BLOCK) {
        found = divides(&b, true);
    }
    return found;
}
