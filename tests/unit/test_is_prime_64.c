/* One number below 2^64: against a sieve, against known answers, against the strong test to twelve
 * bases, and on the numbers that fool one half of the test. */
#include "../check.h"
#include "prime_oracle.h"

#include "primes/bpsw.h"
#include "primes/primes.h"
#include "primes/pseudoprimes.h"

#include <inttypes.h>
#include <stdlib.h>

TestSuite(is_prime_64, .timeout = TEST_SECONDS);

Test(is_prime_64, agrees_with_a_sieve) {
    enum {
        LIMIT = 3000000
    };
    unsigned char *composite = oracle_sieve(LIMIT);
    cr_assert(composite != NULL);
    for (uint64_t n = 0; n <= LIMIT; n++) {
        cr_assert(is_prime_64(n) == !composite[n], "%" PRIu64, n);
    }
    free(composite);
}

Test(is_prime_64, agrees_with_twelve_bases) {
    uint64_t seed = test_seed("is_prime_64/agrees_with_twelve_bases");
    size_t primes = 0;
    const size_t count = scaled(40000);
    for (size_t i = 0; i < count; i++) {
        const uint64_t n = oracle_number(&seed);
        const bool prime = is_prime_64(n);
        cr_assert(prime == oracle_is_prime(n), "%" PRIu64, n);
        primes += prime;
    }
    cr_assert(primes > count / 10 && primes < count / 2);
}

/* Where the arithmetic changes, overflows or wraps around if carelessly made. */
Test(is_prime_64, edges) {
    static const int edges[] = {14, 16, 31, 32, 33, 51, 52, 53, 61, 62, 63};
    for (uint64_t k = 0; k < 3000; k++) {
        for (size_t i = 0; i < COUNT_OF(edges); i++) {
            const uint64_t below = (UINT64_C(1) << edges[i]) - k,
                           above = (UINT64_C(1) << edges[i]) + k;
            cr_assert(is_prime_64(below) == oracle_is_prime(below), "%" PRIu64, below);
            cr_assert(is_prime_64(above) == oracle_is_prime(above), "%" PRIu64, above);
        }
        const uint64_t last = UINT64_MAX - k;
        cr_assert(is_prime_64(last) == oracle_is_prime(last), "%" PRIu64, last);
    }
    cr_assert(is_prime_64(UINT64_C(18446744073709551557))); /* the last prime below 2^64 */
    cr_assert_not(is_prime_64(UINT64_MAX));
    cr_assert_not(is_prime_64(UINT64_C(4294967291) * UINT64_C(4294967291)));
}

/* ---- numbers that fool one half ------------------------------------------------------------------ */

Test(is_prime_64, listed_pseudoprimes_are_composite) {
    EXPECT_EQ(PRIME_PSEUDOPRIMES_COUNT, 2314);
    for (size_t i = 0; i < PRIME_PSEUDOPRIMES_COUNT; i++) {
        const uint32_t n = PRIME_PSEUDOPRIMES[i];
        cr_assert(i == 0 || n > PRIME_PSEUDOPRIMES[i - 1]);
        cr_assert(bpsw_strong_base_2(n) && oracle_strong(n, 2), "%" PRIu32, n);
        cr_assert(bpsw_listed_pseudoprime(n), "%" PRIu32, n);
        cr_assert_not(oracle_is_prime(n), "%" PRIu32, n);
        cr_assert_not(is_prime_64(n), "%" PRIu32, n);
        cr_assert_not(bpsw_listed_pseudoprime(n + 2), "%" PRIu32, n); /* no two are so near */
    }
}

/* Composite by the way they are made; a good part of them passes the strong test. */
Test(is_prime_64, the_lucas_test_catches_strong_pseudoprimes) {
    uint64_t seed = test_seed("is_prime_64/the_lucas_test_catches_strong_pseudoprimes");
    size_t fooled = 0;
    const size_t count = scaled(5000);
    for (size_t i = 0; i < count; i++) {
        const uint64_t n = oracle_fermat_like(&seed);
        const bool strong = bpsw_strong_base_2(n);
        cr_assert(strong == oracle_strong(n, 2), "%" PRIu64, n);
        cr_assert_not(is_prime_64(n), "%" PRIu64, n);
        fooled += strong;
    }
    cr_assert(fooled > count / 50, "%zu of %zu", fooled, count);
}

Test(is_prime_64, the_strong_test_catches_lucas_pseudoprimes) {
    uint64_t seed = test_seed("is_prime_64/the_strong_test_catches_lucas_pseudoprimes");
    size_t fooled = 0;
    const size_t count = scaled(5000);
    for (size_t i = 0; i < count; i++) {
        const uint64_t n = oracle_lucas_like(&seed);
        const uint32_t p = bpsw_lucas_parameter(n);
        const bool passes = p && bpsw_lucas(n, p);
        cr_assert(passes == (p && oracle_lucas(n, p)), "%" PRIu64, n);
        cr_assert_not(is_prime_64(n), "%" PRIu64, n);
        fooled += passes;
    }
    cr_assert(fooled > count / 100, "%zu of %zu", fooled, count);
}

/* The only squares that are pseudoprimes to base 2 below 2^64: Wieferich's primes. */
Test(is_prime_64, squares_of_wieferich_primes) {
    cr_assert(bpsw_strong_base_2(1093 * 1093) && bpsw_strong_base_2(3511 * 3511));
    cr_assert_not(is_prime_64(1093 * 1093));
    cr_assert_not(is_prime_64(3511 * 3511));
}

/* (6k + 1)(12k + 1)(18k + 1) with three primes: pseudoprimes to every base prime to them (Chernick). */
Test(is_prime_64, carmichael_numbers) {
    size_t found = 0;
    for (uint64_t k = 1; 1296 * k * k <= UINT64_MAX / (k + 1); k += 1 + k / 2000) {
        if (oracle_is_prime(6 * k + 1) && oracle_is_prime(12 * k + 1) &&
            oracle_is_prime(18 * k + 1)) {
            const uint64_t n = (6 * k + 1) * (12 * k + 1) * (18 * k + 1);
            cr_assert_not(is_prime_64(n), "%" PRIu64, n);
            found++;
        }
    }
    cr_assert(found > 50, "%zu", found);
}

/* psi_k, the least composite number that passes the strong test to the first k primes: Carl Pomerance,
 * J. L. Selfridge, Samuel S. Wagstaff, Jr.: The Pseudoprimes to 25 * 10^9, Mathematics of Computation 35
 * (1980), 1003-1026; Gerhard Jaeschke: On Strong Pseudoprimes to Several Bases, 61 (1993), 915-926;
 * Yupeng Jiang, Yingpu Deng: Strong Pseudoprimes to the First Eight Prime Bases, 83 (2014), 2915-2924
 * (psi_9 to psi_11). */
Test(is_prime_64, strong_pseudoprimes_to_several_bases) {
    static const struct {
        uint64_t n, factors[3];
        size_t bases;
    } psi[] = {
        {2047, {23, 89, 1}, 1},
        {1373653, {829, 1657, 1}, 2},
        {25326001, {2251, 11251, 1}, 3},
        {UINT64_C(3215031751), {151, 751, 28351}, 4},
        {UINT64_C(2152302898747), {6763, 10627, 29947}, 5},
        {UINT64_C(3474749660383), {1303, 16927, 157543}, 6},
        {UINT64_C(341550071728321), {10670053, 32010157, 1}, 8},
        {UINT64_C(3825123056546413051), {149491, 747451, 34233211}, 11},
    };
    static const uint64_t bases[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31};
    for (size_t i = 0; i < COUNT_OF(psi); i++) {
        const uint64_t n = psi[i].n;
        cr_assert(n == psi[i].factors[0] * psi[i].factors[1] * psi[i].factors[2]);
        for (size_t k = 0; k < psi[i].bases; k++) {
            cr_assert(oracle_strong(n, bases[k]));
        }
        cr_assert(bpsw_strong_base_2(n), "%" PRIu64, n);
        cr_assert_not(is_prime_64(n), "%" PRIu64, n);
    }
}

/* ---- the pieces ----------------------------------------------------------------------------------- */

static int legendre(uint64_t a, uint64_t prime) {
    uint64_t power = 1;
    a %= prime;
    __extension__ typedef unsigned __int128 uint128;
    for (uint64_t e = (prime - 1) / 2; e > 0; e /= 2) {
        power = e % 2 ? (uint64_t)((uint128)power * a % prime) : power;
        a = (uint64_t)((uint128)a * a % prime);
    }
    return power == 1 ? 1 : power == 0 ? 0 : -1;
}

/* For primes Euler's criterion gives the symbol. */
Test(is_prime_64, the_parameter_is_the_least) {
    uint64_t seed = test_seed("is_prime_64/the_parameter_is_the_least");
    uint32_t most = 0;
    for (size_t i = 0; i < scaled(3000); i++) {
        const uint64_t n = oracle_next_prime(random_next(&seed) >> (1 + i % 30));
        const uint32_t p = bpsw_lucas_parameter(n);
        for (uint64_t q = 3; q < p; q++) {
            cr_assert(legendre(q * q - 4, n) == 1, "%" PRIu64 ": %" PRIu64, n, q);
        }
        cr_assert(legendre((uint64_t)p * p - 4, n) == -1, "%" PRIu64 ": %" PRIu32, n, p);
        most = p > most ? p : most;
    }
    cr_assert(most >= 9); /* the search that is rarely needed was */
}

Test(is_prime_64, a_square_has_no_parameter) {
    EXPECT_EQ(bpsw_lucas_parameter(UINT64_C(4294967291) * UINT64_C(4294967291)), 0);
    EXPECT_EQ(bpsw_lucas_parameter(UINT64_C(65537) * 65537), 0);
}
