/* Trial division on vectors: every kernel that this machine can run, against trial and the wheel. */
#include "../check.h"

#include "primes/primes.h"
#include "primes/refute_vector.h"

#include <inttypes.h>

TestSuite(vector, .timeout = TEST_SECONDS);

/* Runs a check with each kernel. */
static void with_each_kernel(void (*check)(prime_kernel kernel)) {
    for (int k = 0; k < PRIME_KERNELS; k++) {
        if (prime_kernel_available((prime_kernel)k)) {
            check((prime_kernel)k);
        } else {
            cr_log_info("no %s here", prime_kernel_name((prime_kernel)k));
        }
    }
}

static bool is_prime_with(prime_kernel kernel, uint64_t n) {
    return !refute_vector_with(kernel, n, 2, prime_isqrt(n) + 1);
}

static void expect_refuted(prime_kernel kernel, bool refuted, uint64_t n, uint64_t from,
                           uint64_t to) {
    cr_assert(refute_vector_with(kernel, n, from, to) == refuted,
              "%s: %" PRIu64 " by %" PRIu64 " to %" PRIu64, prime_kernel_name(kernel), n, from, to);
}

/* The wheel and the kernels try the same divisors. Trial tries multiples of 3 and 5 too, which makes
 * no difference to numbers that are none. */
static bool refuted_by_oracles(uint64_t n, uint64_t from, uint64_t to) {
    bool refuted = refute_wheel(n, from, to);
    if (n % 3 != 0 && n % 5 != 0) {
        EXPECT_EQ(refute_trial(n, from, to), refuted);
    }
    return refuted;
}

static uint64_t prime_below(uint64_t n) {
    do {
        n--;
    } while (!is_prime_wheel(n));
    return n;
}

/* ---- whole numbers --------------------------------------------------------------------------- */

static void check_small(prime_kernel kernel) {
    for (uint64_t n = 0; n < 100000; n++) {
        cr_assert(is_prime_with(kernel, n) == is_prime_trial(n), "%s: %" PRIu64,
                  prime_kernel_name(kernel), n);
    }
}

Test(vector, small_numbers) {
    with_each_kernel(check_small);
}

/* Their divisors beyond the square root as well: in whole numbers this small no kernel has much to
 * do. A prime divides itself, so that the end must be exact. */
static void check_small_with_all_divisors(prime_kernel kernel) {
    for (uint64_t n = 2; n < 6000; n++) {
        expect_refuted(kernel, !is_prime_wheel(n), n, 2, n);
        if (n % 2 != 0 && n % 3 != 0 && n % 5 != 0) {
            expect_refuted(kernel, true, n, 2, n + 1);
        }
    }
}

Test(vector, small_numbers_with_all_divisors) {
    with_each_kernel(check_small_with_all_divisors);
}

static void check_the_numbers(prime_kernel kernel) {
    for (size_t i = 0; i < PRIME_NUMBERS_COUNT; i++) {
        const prime_number *p = &PRIME_NUMBERS[i];
        cr_assert(is_prime_with(kernel, p->n) == p->prime, "%s: %" PRIu64,
                  prime_kernel_name(kernel), p->n);
    }
}

Test(vector, the_numbers) {
    with_each_kernel(check_the_numbers);
}

Test(vector, the_method_is_the_chosen_kernel) {
    const size_t found = prime_method_find("vector");
    cr_assert(found < PRIME_METHODS_COUNT);
    cr_assert(PRIME_METHODS[found].is_prime == is_prime_vector);
    cr_assert(PRIME_METHODS[found].refute == refute_vector);
    EXPECT_EQ(is_prime_vector(UINT64_C(9999999999999917)), true);
    EXPECT_EQ(is_prime_vector(UINT64_C(7777777536340681)), false);
}

static void check_greatest(prime_kernel kernel) {
    expect_refuted(kernel, false, UINT64_C(18446744073709551557), 2, UINT64_C(1) << 20);
    expect_refuted(kernel, false, UINT64_C(18446744073709551557), UINT32_MAX - 3000000,
                   UINT64_C(1) << 32);
    expect_refuted(kernel, true, UINT64_MAX, 2, UINT64_C(1) << 32);
    expect_refuted(kernel, true, UINT64_MAX, 641, 642);
    expect_refuted(kernel, true, UINT64_MAX, 6700417, 6700418);
}

Test(vector, the_greatest_numbers) {
    with_each_kernel(check_greatest);
    cr_assert(is_prime_vector(UINT64_C(18446744073709551557)));
}

/* ---- products of two primes ------------------------------------------------------------------ */

/* p <= q, both prime: p is the one divisor up to the square root. */
static void check_product(prime_kernel kernel, uint64_t p, uint64_t q) {
    const uint64_t n = p * q;
    expect_refuted(kernel, true, n, p, p + 1);
    for (uint64_t reach = 1; reach < 3000; reach = reach * 3 / 2 + 1) {
        expect_refuted(kernel, true, n, p - reach, p + 1);
        expect_refuted(kernel, true, n, p - reach, p + reach);
        expect_refuted(kernel, false, n, p - reach, p);
        expect_refuted(kernel, refute_wheel(n, p + 1, p + reach), n, p + 1, p + reach);
    }
}

/* Primes whose products lie below and above 2^53, from where no double holds n, and below 2^63 and
 * 2^64; those below 2^32 itself are the last divisors of all. */
static void check_products(prime_kernel kernel) {
    static const unsigned widths[] = {32, 40, 48, 52, 53, 54, 60, 62, 63, 64};
    for (size_t i = 0; i < COUNT_OF(widths); i++) {
        const uint64_t most = UINT64_MAX >> (64 - widths[i]);
        uint64_t primes[6];
        uint64_t below = prime_isqrt(most) + (widths[i] < 64 ? 100 : 1); /* on both sides */
        for (size_t k = 0; k < COUNT_OF(primes); k++) {
            primes[k] = below = prime_below(below);
        }
        for (size_t q = 0; q < COUNT_OF(primes); q++) {
            for (size_t p = q; p < COUNT_OF(primes); p++) {
                check_product(kernel, primes[p], primes[q]);
            }
        }
    }
}

Test(vector, products_of_near_primes) {
    with_each_kernel(check_products);
}

static void check_whole_squares(prime_kernel kernel) {
    static const uint64_t ends[] = {65536, 1 << 20, 1 << 24, 94906267}; /* the last: 2^26.5 */
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        const uint64_t p = prime_below(ends[i]);
        cr_assert_not(is_prime_with(kernel, p * p), "%" PRIu64, p);
        cr_assert_not(is_prime_with(kernel, p * prime_below(p)), "%" PRIu64, p);
    }
}

Test(vector, whole_squares) {
    with_each_kernel(check_whole_squares);
}

/* ---- any part -------------------------------------------------------------------------------- */

typedef struct part {
    uint64_t n, from, to;
} part;

/* A random width, then a random number of that width. */
static uint64_t random_of_any_width(uint64_t *seed, unsigned most_bits) {
    unsigned bits = 1 + (unsigned)(random_next(seed) % most_bits);
    return random_next(seed) >> (64 - bits);
}

/* n is any number, or a multiple of an odd number that lies in the part or just beside it. */
static part random_part(uint64_t *seed) {
    part r = {.n = random_of_any_width(seed, 64), .from = random_of_any_width(seed, 32)};
    const uint64_t length = random_next(seed) % (2 + random_next(seed) % 3000);
    r.to = r.from + length;
    if (random_next(seed) % 4 != 0) {
        const uint64_t divisor = (r.from + random_next(seed) % (length + 8)) | 1;
        const uint64_t most = UINT64_MAX / divisor;
        r.n = divisor * (random_of_any_width(seed, 64) % most + 1);
    }
    return r;
}

static void check_random_parts(prime_kernel kernel) {
    uint64_t seed = test_seed("vector/random_parts");
    size_t refuted = 0;
    const size_t count = scaled(20000);
    for (size_t i = 0; i < count; i++) {
        const part r = random_part(&seed);
        const bool expected = refuted_by_oracles(r.n, r.from, r.to);
        expect_refuted(kernel, expected, r.n, r.from, r.to);
        refuted += expected;
    }
    cr_assert(refuted > count / 10 && refuted < count - count / 10, "%zu", refuted);
}

Test(vector, random_parts) {
    with_each_kernel(check_random_parts);
}

/* Odd numbers with one large prime divisor, of which the kernels must not miss the quotient: the
 * greater n / d is, the more exactly. The divisor has a random place in a part of random length. */
static void check_divisors_of_large_numbers(prime_kernel kernel) {
    uint64_t seed = test_seed("vector/divisors_of_large_numbers");
    for (size_t i = scaled(20000); i > 0; i--) {
        const uint64_t wish = 7 + random_of_any_width(&seed, 32);
        const uint64_t d = prime_below(wish % UINT32_MAX + 8);
        const uint64_t most = UINT64_MAX / d;
        const uint64_t n = d * (most - random_next(&seed) % (most / 2 + 1));
        const uint64_t back = random_next(&seed) % 4000;
        const uint64_t from = d > back + 2 ? d - back : 2;
        expect_refuted(kernel, true, n, from, d + 1);
        expect_refuted(kernel, refute_wheel(n, from, d), n, from, d);
    }
}

Test(vector, divisors_of_large_numbers) {
    with_each_kernel(check_divisors_of_large_numbers);
}

static void check_bounds(prime_kernel kernel) {
    const uint64_t end = UINT64_C(1) << 32;
    const uint64_t p = UINT64_C(4294967311); /* the first prime above 2^32 */
    expect_refuted(kernel, true, 3 * p, end - 2000, end + 2000);
    expect_refuted(kernel, true, 3 * p, p, p + 1);
    expect_refuted(kernel, false, 3 * p, end - 2000, p);
    expect_refuted(kernel, false, 3 * p, p + 1, p + 2000);
    expect_refuted(kernel, false, 3 * p, UINT64_C(1) << 63, (UINT64_C(1) << 63) + 2000);
    expect_refuted(kernel, false, 3 * p, UINT64_C(1) << 63, 2);
    expect_refuted(kernel, false, 49, 100, 50);
    expect_refuted(kernel, false, 49, 0, 0);
    expect_refuted(kernel, true, 0, 5000, 9000); /* these two need no divisor */
    expect_refuted(kernel, true, 1, 5000, 9000);
    expect_refuted(kernel, false, 2, 5000, 9000);
}

Test(vector, bounds) {
    with_each_kernel(check_bounds);
}
