/* Every kernel that this machine has gives the same answers, whatever numbers stand beside each other
 * and however many there are. */
#include "../check.h"
#include "prime_oracle.h"

#include "primes/batch_kernel.h"
#include "primes/bpsw.h"
#include "primes/is_prime_batch.h"
#include "primes/primes.h"
#include "primes/pseudoprimes.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#ifdef HAVE_FLINT
#include <flint/ulong_extras.h>
#endif

TestSuite(is_prime_batch, .timeout = TEST_SECONDS);

/* In every test of answers: for (kernel ...) if (available). */
#define EACH_KERNEL(kernel)                                                                        \
    for (int kernel = 0; kernel < PRIME_KERNELS; kernel++)                                         \
        if (prime_kernel_available((prime_kernel)kernel))

static void expect(int kernel, const uint64_t *n, size_t count, const uint8_t *wanted) {
    uint8_t *got = malloc(count + 1);
    cr_assert(got != NULL);
    got[count] = 77;
    is_prime_batch_with((prime_kernel)kernel, n, count, got);
    for (size_t i = 0; i < count; i++) {
        cr_assert(got[i] == wanted[i], "%s: %" PRIu64 " at %zu of %zu: %d, wanted %d",
                  prime_kernel_name((prime_kernel)kernel), n[i], i, count, got[i], wanted[i]);
    }
    EXPECT_EQ(got[count], 77); /* nothing beyond the end */
    free(got);
}

/* ---- against a sieve -------------------------------------------------------------------------- */

static size_t count_primes(int kernel, const unsigned char *composite, uint64_t limit) {
    enum {
        PIECE = 10007
    };
    static uint64_t n[PIECE];
    static uint8_t prime[PIECE];
    size_t found = 0;
    for (uint64_t from = 0; from <= limit; from += PIECE) {
        const size_t count = limit + 1 - from < PIECE ? (size_t)(limit + 1 - from) : PIECE;
        for (size_t i = 0; i < count; i++) {
            n[i] = from + i;
        }
        is_prime_batch_with((prime_kernel)kernel, n, count, prime);
        for (size_t i = 0; i < count; i++) {
            cr_assert(prime[i] == !composite[n[i]], "%" PRIu64, n[i]);
            found += prime[i];
        }
    }
    return found;
}

Test(is_prime_batch, agrees_with_a_sieve) {
    enum {
        LIMIT = 10000000,
        PI = 664579
    };
    unsigned char *composite = oracle_sieve(LIMIT);
    cr_assert(composite != NULL);
    EACH_KERNEL(kernel) {
        EXPECT_EQ(count_primes(kernel, composite, LIMIT), PI);
    }
    free(composite);
}

/* ---- against twelve bases, and FLINT ----------------------------------------------------------- */

enum {
    MANY = 20000
};
static uint64_t numbers[MANY];
static uint8_t answers[MANY];

Test(is_prime_batch, agrees_with_twelve_bases) {
    uint64_t seed = test_seed("is_prime_batch/agrees_with_twelve_bases");
    for (size_t round = 0; round < scaled(2); round++) {
        for (size_t i = 0; i < MANY; i++) {
            numbers[i] = oracle_number(&seed);
            answers[i] = oracle_is_prime(numbers[i]);
        }
        EACH_KERNEL(kernel) {
            expect(kernel, numbers, MANY, answers);
        }
    }
}

#ifdef HAVE_FLINT
Test(is_prime_batch, agrees_with_flint) {
    uint64_t seed = test_seed("is_prime_batch/agrees_with_flint");
    for (size_t round = 0; round < scaled(20); round++) {
        for (size_t i = 0; i < MANY; i++) {
            numbers[i] = random_next(&seed) >> random_next(&seed) % 64 | (i & 1);
            answers[i] = n_is_prime(numbers[i]) != 0;
        }
        EACH_KERNEL(kernel) {
            expect(kernel, numbers, MANY, answers);
        }
    }
}
#endif

/* Primes only, so that nothing is lost on the way through all stages. */
Test(is_prime_batch, primes_of_every_length) {
    uint64_t seed = test_seed("is_prime_batch/primes_of_every_length");
    enum {
        EACH_LENGTH = 100
    };
    for (size_t bits = 2; bits <= 63; bits++) {
        for (size_t i = 0; i < EACH_LENGTH; i++) {
            numbers[i] =
                oracle_next_prime(random_next(&seed) >> (65 - bits) | UINT64_C(1) << (bits - 2));
            answers[i] = 1;
        }
        EACH_KERNEL(kernel) {
            expect(kernel, numbers, EACH_LENGTH, answers);
        }
    }
}

/* Where the arithmetic changes, overflows or wraps around if carelessly made. */
Test(is_prime_batch, edges) {
    static const int edges[] = {14, 31, 32, 33, 48, 51, 52, 53, 62, 63};
    enum {
        NEAR = 500
    };
    size_t count = 0;
    for (uint64_t k = 0; k < NEAR; k++) {
        for (size_t i = 0; i < COUNT_OF(edges); i++) {
            numbers[count++] = (UINT64_C(1) << edges[i]) + k;
            numbers[count++] = (UINT64_C(1) << edges[i]) - k;
        }
        numbers[count++] = UINT64_MAX - k;
        numbers[count++] = k;
    }
    for (size_t i = 0; i < count; i++) {
        answers[i] = oracle_is_prime(numbers[i]);
    }
    EACH_KERNEL(kernel) {
        expect(kernel, numbers, count, answers);
    }
}

/* n - 1 or n + 1 with many factors 2: the tests then ask for many powers, or for all. */
Test(is_prime_batch, many_twos) {
    size_t count = 0;
    for (int twos = 8; twos < 64; twos++) {
        for (uint64_t odd = 1; odd < 64 && odd <= UINT64_MAX >> twos; odd += 2) {
            numbers[count++] = (odd << twos) + 1;
            numbers[count++] = (odd << twos) - 1;
        }
    }
    for (size_t i = 0; i < count; i++) {
        answers[i] = oracle_is_prime(numbers[i]);
    }
    EACH_KERNEL(kernel) {
        expect(kernel, numbers, count, answers);
    }
}

Test(is_prime_batch, pseudoprimes) {
    uint64_t seed = test_seed("is_prime_batch/pseudoprimes");
    size_t count = 0;
    for (; count < PRIME_PSEUDOPRIMES_COUNT; count++) {
        numbers[count] = PRIME_PSEUDOPRIMES[count];
    }
    for (; count < 6000; count += 2) {
        numbers[count] = oracle_fermat_like(&seed);
        numbers[count + 1] = oracle_lucas_like(&seed);
    }
    memset(answers, 0, sizeof answers); /* by the way they are made */
    EACH_KERNEL(kernel) {
        expect(kernel, numbers, count, answers);
    }
}

/* ---- sizes and mixtures ------------------------------------------------------------------------ */

Test(is_prime_batch, any_count) {
    uint64_t seed = test_seed("is_prime_batch/any_count");
    for (size_t i = 0; i < MANY; i++) {
        numbers[i] = oracle_number(&seed);
        answers[i] = is_prime_64(numbers[i]);
    }
    EACH_KERNEL(kernel) {
        for (size_t count = 0; count < 200; count++) {
            expect(kernel, numbers + count, count, answers + count);
        }
        for (size_t count = BATCH_BLOCK - 10; count < BATCH_BLOCK + 10; count++) {
            expect(kernel, numbers, count, answers);
            expect(kernel, numbers + 1, 2 * count, answers + 1);
        }
    }
}

/* All queues fill at once, and each number keeps its place. */
Test(is_prime_batch, all_sizes_side_by_side) {
    uint64_t seed = test_seed("is_prime_batch/all_sizes_side_by_side");
    static const int shifts[] = {0, 12, 13, 33, 50};
    for (size_t i = 0; i < MANY; i++) {
        const uint64_t n = random_next(&seed) >> shifts[random_next(&seed) % COUNT_OF(shifts)];
        numbers[i] = n;
        for (int tries = 0; i % 3 == 0 && tries < 300 && !is_prime_64(numbers[i]); tries++) {
            numbers[i] = n - n % 2 + 1 + 2 * (uint64_t)tries;
        }
        answers[i] = is_prime_64(numbers[i]);
    }
    EACH_KERNEL(kernel) {
        expect(kernel, numbers, MANY, answers);
    }
}

/* ---- the tests alone ---------------------------------------------------------------------------- */

static const batch_kernel *kernel_of(int kernel) {
    switch (kernel) {
#ifdef PRIMES_HAVE_AVX2
    case PRIME_KERNEL_AVX2:
        return &BATCH_AVX2;
#endif
#ifdef PRIMES_HAVE_AVX512
    case PRIME_KERNEL_AVX512:
        return &BATCH_AVX512;
#endif
    default:
        return &BATCH_PORTABLE;
    }
}

enum {
    COUNT = 960 /* a multiple of every group */
};

/* Composites reach the Lucas test only if they fool the strong one, so it gets others here: it must
 * not depend on what was before it. Numbers of 2^from to 2^to. */
static void expect_lucas(batch_lucas_fn *lucas, unsigned from, unsigned to, const char *name,
                         uint64_t *seed) {
    uint64_t n[COUNT], p[COUNT];
    uint8_t pass[COUNT];
    size_t passed = 0;
    for (size_t i = 0; i < COUNT; i++) {
        do {
            n[i] =
                i % 2 ? oracle_lucas_like(seed) : oracle_next_prime(random_next(seed) >> (65 - to));
            p[i] = n[i] >> from && n[i] >> (to - 1) <= 1 ? bpsw_lucas_parameter(n[i]) : 0;
        } while (p[i] == 0 || p[i] >= BATCH_PARAMETER_END);
    }
    lucas(n, p, COUNT, pass);
    for (size_t i = 0; i < COUNT; i++) {
        cr_assert((pass[i] != 0) == oracle_lucas(n[i], p[i]), "%s: %" PRIu64, name, n[i]);
        passed += pass[i] != 0;
    }
    cr_assert(passed >= COUNT / 2 + COUNT / 100, "%zu", passed);
}

Test(is_prime_batch, lucas_tests_alone) {
    uint64_t seed = test_seed("is_prime_batch/lucas_tests_alone");
    EACH_KERNEL(k) {
        const batch_kernel *kernel = kernel_of(k);
        const char *name = prime_kernel_name((prime_kernel)k);
        expect_lucas(kernel->lucas_wide, kernel->narrow_bits, 64, name, &seed);
        if (kernel->lucas_narrow) {
            expect_lucas(kernel->lucas_narrow, 32, kernel->narrow_bits, name, &seed);
        }
    }
}

static void expect_strong(batch_strong_fn *strong, uint64_t from, int shift, const char *name,
                          uint64_t *seed) {
    uint64_t n[COUNT];
    uint8_t pass[COUNT];
    size_t passed = 0;
    for (size_t i = 0; i < COUNT; i++) {
        do {
            n[i] = i % 2 ? random_next(seed) >> shift | 1
                         : oracle_next_prime(random_next(seed) >> (shift + 1));
        } while (n[i] < from);
    }
    strong(n, COUNT, pass);
    for (size_t i = 0; i < COUNT; i++) {
        cr_assert((pass[i] != 0) == oracle_strong(n[i], 2), "%s: %" PRIu64, name, n[i]);
        passed += pass[i] != 0;
    }
    cr_assert(passed >= COUNT / 2);
}

Test(is_prime_batch, strong_tests_alone) {
    uint64_t seed = test_seed("is_prime_batch/strong_tests_alone");
    EACH_KERNEL(k) {
        const batch_kernel *kernel = kernel_of(k);
        const char *name = prime_kernel_name((prime_kernel)k);
        const uint64_t wide = UINT64_C(1) << kernel->narrow_bits;
        expect_strong(kernel->strong_wide, wide, 0, name, &seed);
        expect_strong(kernel->strong_wide, wide, 62 - (int)kernel->narrow_bits, name, &seed);
        for (int bits = 16; bits <= (int)kernel->narrow_bits; bits += 4) {
            expect_strong(kernel->strong_narrow, 20000, 64 - bits, name, &seed);
        }
    }
}

/* ---- the choice of a kernel ---------------------------------------------------------------------- */

Test(is_prime_batch, kernels_have_names) {
    prime_kernel found;
    cr_assert_str_eq(prime_kernel_name(PRIME_KERNEL_PORTABLE), "portable");
    cr_assert_str_eq(prime_kernel_name(PRIME_KERNEL_AVX2), "avx2");
    cr_assert_str_eq(prime_kernel_name(PRIME_KERNEL_AVX512), "avx512");
    cr_assert(prime_kernel_available(PRIME_KERNEL_PORTABLE));
    for (int k = 0; k < PRIME_KERNELS; k++) {
        const prime_kernel kernel = (prime_kernel)k;
        if (prime_kernel_available(kernel)) {
            EXPECT_EQ(prime_kernel_check(prime_kernel_name(kernel), &found), PRIME_KERNEL_FOUND);
            EXPECT_EQ(found, kernel);
        } else {
            EXPECT_EQ(prime_kernel_check(prime_kernel_name(kernel), NULL), PRIME_KERNEL_LACKING);
        }
    }
    static const char *const strangers[] = {"", "AVX2", "avx", "avx5120", " portable"};
    for (size_t i = 0; i < COUNT_OF(strangers); i++) {
        EXPECT_EQ(prime_kernel_check(strangers[i], NULL), PRIME_KERNEL_UNKNOWN);
    }
}

Test(is_prime_batch, the_best_is_the_default) {
    prime_kernel found;
    unsetenv(PRIME_KERNEL_VARIABLE);
    EXPECT_EQ(prime_kernel_check(NULL, &found), PRIME_KERNEL_FOUND);
    EXPECT_EQ(prime_kernel_chosen(), found);
    for (int kernel = (int)found + 1; kernel < PRIME_KERNELS; kernel++) {
        cr_assert_not(prime_kernel_available((prime_kernel)kernel));
    }
}

Test(is_prime_batch, the_variable_forces_one) {
    setenv(PRIME_KERNEL_VARIABLE, "portable", 1);
    EXPECT_EQ(prime_kernel_chosen(), PRIME_KERNEL_PORTABLE);
    setenv(PRIME_KERNEL_VARIABLE, "avx2", 1);
    EXPECT_EQ(prime_kernel_chosen(), PRIME_KERNEL_PORTABLE); /* once chosen it stays */
}

Test(is_prime_batch, what_the_variable_names_in_vain_is_passed_over) {
    prime_kernel best;
    EXPECT_EQ(prime_kernel_check(NULL, &best), PRIME_KERNEL_FOUND);
    setenv(PRIME_KERNEL_VARIABLE, "fastest", 1);
    EXPECT_EQ(prime_kernel_chosen(), best);
}
