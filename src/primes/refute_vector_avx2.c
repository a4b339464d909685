#include "primes/refute_vector.h"

#include "platform/intrinsics_x86.h"

#define VECTORS 8 /* half a turn each, so that none waits for the one before */
#define TURN    30

enum {
    STEP = VECTORS / 2 * TURN
};

typedef struct block {
    __m256d divisors[2]; /* those of the first turn */
    __m256i integers[2]; /* the same */
    __m256d x[VECTORS];
    __m256d n;
    __m256i low; /* n's lowest 32 bits, in every half of a lane */
} block;

/* The block with these divisors; x is for those of the block before. */
static block block_at(uint64_t n, uint64_t from) {
    const double turn = (double)from;
    block b;
    b.divisors[0] = _mm256_add_pd(_mm256_set1_pd(turn), _mm256_setr_pd(1, 7, 11, 13));
    b.divisors[1] = _mm256_add_pd(_mm256_set1_pd(turn), _mm256_setr_pd(17, 19, 23, 29));
    const __m256i integer = _mm256_set1_epi64x((long long)from);
    b.integers[0] = _mm256_add_epi64(integer, _mm256_setr_epi64x(1, 7, 11, 13));
    b.integers[1] = _mm256_add_epi64(integer, _mm256_setr_epi64x(17, 19, 23, 29));
    for (int v = 0; v < VECTORS; v++) {
        const int turns = v / 2;
        const __m256d back = _mm256_set1_pd(STEP - turns * TURN);
        b.x[v] = _mm256_div_pd(_mm256_set1_pd(1), _mm256_sub_pd(b.divisors[v % 2], back));
    }
    b.n = _mm256_set1_pd((double)n);
    b.low = _mm256_set1_epi32((int)(uint32_t)n);
    return b;
}

static inline __m256d corrected(__m256d x, __m256d divisors) {
    const __m256d e = _mm256_sub_pd(_mm256_set1_pd(1), _mm256_mul_pd(divisors, x));
    return _mm256_add_pd(x, _mm256_mul_pd(x, _mm256_add_pd(e, _mm256_mul_pd(e, e))));
}

/* Whether one of the block's divisors divides n. With `far` known where it is inlined, no jump. */
static inline __attribute__((always_inline)) bool divides(block *b, bool far) {
    __m256i least = _mm256_set1_epi32(-1); /* by lane, of what is 0 where a divisor divides n */
#pragma GCC unroll 8
    for (int v = 0; v < VECTORS; v++) {
        const int on = v / 2 * TURN;
        const __m256d divisors = _mm256_add_pd(b->divisors[v % 2], _mm256_set1_pd(on));
        const __m256i integers = _mm256_add_epi64(b->integers[v % 2], _mm256_set1_epi64x(on));
        b->x[v] = far ? corrected(b->x[v], divisors) : _mm256_div_pd(_mm256_set1_pd(1), divisors);
        const __m256d sum =
            _mm256_add_pd(_mm256_mul_pd(b->n, b->x[v]), _mm256_set1_pd(REFUTE_ROUND));
        const __m256i product = _mm256_mul_epu32(_mm256_castpd_si256(sum), integers);
        least = _mm256_min_epu32(least, _mm256_xor_si256(product, b->low));
    }
    for (int half = 0; half < 2; half++) {
        b->divisors[half] = _mm256_add_pd(b->divisors[half], _mm256_set1_pd(STEP));
        b->integers[half] = _mm256_add_epi64(b->integers[half], _mm256_set1_epi64x(STEP));
    }
    const __m256i found = _mm256_cmpeq_epi32(least, _mm256_setzero_si256());
    return (_mm256_movemask_epi8(found) & 0x0f0f0f0f) !=
           0; /* a product's upper half says nothing */
}

bool refute_vector_avx2(uint64_t n, uint64_t from, uint64_t far, uint64_t to) {
    block b = block_at(n, from);
    bool found = false;
    for (; from < far && !found; from += STEP) {
        found = divides(&b, false);
    }
    for (; from < to && !found; from += STEP) {
        found = divides(&b, true);
    }
    return found;
}
