/* Primes, against a sieve, against known answers, and at the edges of 64 bits. */
#include "../check.h"

#include "primes/primes.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

TestSuite(primes, .timeout = TEST_SECONDS);

/* composite[n] for n <= limit, by Eratosthenes: no division, so another way than that under test.
 */
static unsigned char *sieve(uint64_t limit) {
    unsigned char *composite = calloc(limit + 1, 1);
    cr_assert(composite != NULL);
    composite[0] = composite[1] = 1;
    for (uint64_t p = 2; p * p <= limit; p++) {
        for (uint64_t m = p * p; !composite[p] && m <= limit; m += p) {
            composite[m] = 1;
        }
    }
    return composite;
}

Test(primes, agree_with_a_sieve_up_to_a_million) {
    enum {
        LIMIT = 1000000,
        PI = 78498
    };
    unsigned char *composite = sieve(LIMIT);
    for (size_t m = 0; m < PRIME_METHODS_COUNT; m++) {
        unsigned found = 0;
        for (uint64_t n = 0; n <= LIMIT; n++) {
            bool prime = PRIME_METHODS[m].is_prime(n);
            cr_assert(prime == !composite[n], "%s: %" PRIu64, PRIME_METHODS[m].name, n);
            found += prime;
        }
        EXPECT_EQ(found, PI);
    }
    free(composite);
}

Test(primes, know_their_methods) {
    cr_assert(PRIME_METHODS_COUNT >= 2);
    cr_assert_str_eq(PRIME_METHODS[0].name, "trial"); /* the default */
    cr_assert(PRIME_METHODS[prime_method_find("trial")].is_prime == is_prime_trial);
    cr_assert(PRIME_METHODS[prime_method_find("wheel")].is_prime == is_prime_wheel);
    for (size_t m = 0; m < PRIME_METHODS_COUNT; m++) {
        EXPECT_EQ(prime_method_find(PRIME_METHODS[m].name), m);
    }
    static const char *const strangers[] = {"", "tria", "trial ", "TRIAL", "fast"};
    for (size_t i = 0; i < COUNT_OF(strangers); i++) {
        EXPECT_EQ(prime_method_find(strangers[i]), PRIME_METHODS_COUNT);
    }
}

Test(primes, the_numbers_are_in_order) {
    EXPECT_EQ(PRIME_NUMBERS_COUNT, 20);
    for (size_t i = 1; i < PRIME_NUMBERS_COUNT; i++) {
        cr_assert(PRIME_NUMBERS[i - 1].n < PRIME_NUMBERS[i].n);
    }
}

Test(primes, the_numbers_have_the_answers_to_expect) {
    for (size_t i = 0; i < PRIME_NUMBERS_COUNT; i++) {
        const prime_number *p = &PRIME_NUMBERS[i];
        cr_assert(is_prime_trial(p->n) == p->prime, "trial: %" PRIu64, p->n);
        cr_assert(is_prime_wheel(p->n) == p->prime, "wheel: %" PRIu64, p->n);
    }
}

/* Primes of which the neighbours, products and squares below are made. */
static const uint64_t large_primes[] = {65521, 65537, 1000003, 16777213, 4294967279, 4294967291};

Test(primes, edges) {
    static const struct {
        uint64_t n;
        bool prime;
    } edges[] = {
        {0, false},
        {1, false},
        {2, true},
        {3, true},
        {4, false},
        {25, false}, /* squares of the first divisors beyond the wheel's 2, 3 and 5 */
        {49, false},
        {961, false},
        {(UINT64_C(1) << 31) - 1, true},
        {UINT64_C(4293001441), false}, /* 65521^2, the last square of a prime below 2^32 */
        {UINT64_C(4294967279), true},
        {UINT64_C(4294967291), true}, /* 2^32 - 5 */
        {(UINT64_C(1) << 32) - 1, false},
        {UINT64_C(1) << 32, false},
        {(UINT64_C(1) << 32) + 1, false}, /* 641 * 6700417 */
        {(UINT64_C(1) << 32) + 15, true},
        {(UINT64_C(1) << 53) - 1, false}, /* 6361 * 69431 * 20394401 */
        {(UINT64_C(1) << 53) + 1, false},
        {UINT64_C(1) << 63, false},
        {UINT64_MAX, false},
        {UINT64_MAX - 1, false},
        {UINT64_C(18446744073709551556), false},
        {UINT64_C(18446744073709551558), false},
    };
    for (size_t m = 0; m < PRIME_METHODS_COUNT; m++) {
        for (size_t i = 0; i < COUNT_OF(edges); i++) {
            cr_assert(PRIME_METHODS[m].is_prime(edges[i].n) == edges[i].prime, "%s: %" PRIu64,
                      PRIME_METHODS[m].name, edges[i].n);
        }
    }
}

/* Here the square root itself is the one divisor, or nearly, and sums overflow if carelessly made.
 */
Test(primes, squares_near_two_to_the_64) {
    const uint64_t p = UINT64_C(4294967291);
    EXPECT_EQ(p * p, UINT64_C(18446744030759878681));
    cr_assert_not(is_prime_wheel(p * p)); /* trial would need seconds; its last parts will do */
    cr_assert(refute_trial(p * p, p - 1000, prime_isqrt(p * p) + 1));
    cr_assert(is_prime_wheel(UINT64_C(18446744073709551557))); /* the last prime below 2^64 */
    cr_assert_not(refute_trial(UINT64_C(18446744073709551557), p, UINT64_C(1) << 32));
}

Test(primes, isqrt_is_exact) {
    uint64_t seed = test_seed("primes/isqrt_is_exact");
    EXPECT_EQ(prime_isqrt(UINT64_MAX), UINT32_MAX);
    for (uint64_t n = 0; n < 1000; n++) {
        uint64_t r = prime_isqrt(n);
        cr_assert(r * r <= n && (r + 1) * (r + 1) > n, "%" PRIu64, n);
    }
    for (int i = 0; i < 100000; i++) {
        uint64_t r = random_next(&seed) >> (32 + i % 32);
        EXPECT_EQ(prime_isqrt(r * r), r);
        EXPECT_EQ(prime_isqrt(r * r + 2 * r), r); /* (r + 1)^2 - 1 */
        if (r > 0) {
            EXPECT_EQ(prime_isqrt(r * r - 1), r - 1);
        }
    }
}

/* ---- split ----------------------------------------------------------------------------------- */

/* Whether the test is refuted when its divisors are tried in parts that end at random places. */
static bool refuted_in_parts(const prime_method *method, uint64_t n, uint64_t *seed) {
    const uint64_t end = prime_isqrt(n) + 1;
    bool refuted = false;
    for (uint64_t from = 2; from < end;) {
        uint64_t length = 1 + random_next(seed) % (end / 3 + 2);
        uint64_t to = length < end - from ? from + length : end;
        refuted |= method->refute(n, from, to);
        from = to;
    }
    return refuted;
}

Test(primes, parts_together_are_the_whole) {
    enum {
        LIMIT = 30000
    };
    uint64_t seed = test_seed("primes/parts_together_are_the_whole");
    unsigned char *composite = sieve(LIMIT);
    for (size_t m = 0; m < PRIME_METHODS_COUNT; m++) {
        const prime_method *method = &PRIME_METHODS[m];
        for (uint64_t n = 2; method->refute && n <= LIMIT; n++) {
            for (int split = 0; split < 3; split++) {
                cr_assert(refuted_in_parts(method, n, &seed) == composite[n], "%s: %" PRIu64,
                          method->name, n);
            }
        }
    }
    free(composite);
}

/* n = p * q with p <= q prime has one divisor to find, p: so exactly the part with p in it finds
 * it, be it one number wide, at an end of the range, or beside it. */
Test(primes, a_part_finds_its_own_divisors_only) {
    for (size_t m = 0; m < PRIME_METHODS_COUNT; m++) {
        const prime_method *method = &PRIME_METHODS[m];
        for (size_t i = 0; method->refute && i < COUNT_OF(large_primes); i++) {
            for (size_t k = i; k < COUNT_OF(large_primes); k++) {
                const uint64_t p = large_primes[i], n = p * large_primes[k];
                cr_assert(method->refute(n, p, p + 1), "%s: %" PRIu64, method->name, n);
                cr_assert(method->refute(n, p - 50, p + 1));
                cr_assert_not(method->refute(n, p, p));
                cr_assert_not(method->refute(n, p, p - 1));
                cr_assert_not(method->refute(n, p - 50, p));
                cr_assert_not(method->refute(n, 2, 1000));
                if (k > i) {
                    cr_assert_not(method->refute(n, p + 1, p + 2));
                }
            }
        }
    }
}

Test(primes, small_divisors_are_in_the_part_that_holds_them) {
    static const uint64_t divisors[] = {2, 3, 5, 7, 11, 13, 29, 31, 37};
    const uint64_t big = UINT64_C(4294967291);
    for (size_t m = 0; m < PRIME_METHODS_COUNT; m++) {
        const prime_method *method = &PRIME_METHODS[m];
        for (size_t i = 0; method->refute && i < COUNT_OF(divisors); i++) {
            const uint64_t d = divisors[i], n = d * big;
            cr_assert(method->refute(n, d, d + 1), "%s: %" PRIu64, method->name, d);
            cr_assert(method->refute(n, 2, d + 1), "%s: %" PRIu64, method->name, d);
            cr_assert_not(method->refute(n, 2, d), "%s: %" PRIu64, method->name, d);
        }
    }
}

Test(primes, zero_and_one_need_no_divisor) {
    for (size_t m = 0; m < PRIME_METHODS_COUNT; m++) {
        if (PRIME_METHODS[m].refute) {
            cr_assert(PRIME_METHODS[m].refute(0, 2, 2));
            cr_assert(PRIME_METHODS[m].refute(1, 2, 2));
        }
    }
}
