#include "primes/primes.h"
#include "primes/refute_vector.h"

#include <math.h>

static refute_kernel *const KERNELS[PRIME_KERNELS] = {
    [PRIME_KERNEL_PORTABLE] = refute_vector_portable,
#ifdef PRIMES_HAVE_AVX2
    [PRIME_KERNEL_AVX2] = refute_vector_avx2,
#endif
#ifdef PRIMES_HAVE_AVX512
    [PRIME_KERNEL_AVX512] = refute_vector_avx512,
#endif
};

#define DIVISOR_END (UINT64_C(1) << 32) /* for a kernel */

bool is_prime_vector(uint64_t n) {
    return !refute_vector(n, 2, prime_isqrt(n) + 1);
}

bool refute_vector(uint64_t n, uint64_t from, uint64_t to) {
    return refute_vector_with(prime_kernel_chosen(), n, from, to);
}

static uint64_t smaller(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static uint64_t greater(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

static uint64_t round_down(uint64_t bound) {
    return bound - bound % REFUTE_BLOCK;
}

static uint64_t round_up(uint64_t bound) {
    return round_down(bound + REFUTE_BLOCK - 1);
}

/* From where on x may be found from the one before: see refute_vector.h. */
static uint64_t far_divisor(uint64_t n) {
    const double step = REFUTE_BLOCK;
    return greater((uint64_t)sqrt(sqrt(16 * (double)n * step * step * step)), 3 * REFUTE_BLOCK);
}

bool refute_vector_with(prime_kernel kernel, uint64_t n, uint64_t from, uint64_t to) {
    const uint64_t least = greater(n / REFUTE_QUOTIENT_END + 1, REFUTE_BLOCK);
    const uint64_t first = round_up(greater(smaller(from, DIVISOR_END), least));
    const uint64_t last = round_down(smaller(to, DIVISOR_END));
    if (n < 2 || first >= last) {
        return refute_wheel(n, from, to);
    }
    const uint64_t far = smaller(greater(round_up(far_divisor(n)), first), last);
    return refute_wheel(n, from, first) || KERNELS[kernel](n, first, far, last) ||
           refute_wheel(n, last, to);
}
