#include "bench/contender.h"

#include <gmp.h>

/* The value that GMP's manual calls reasonable. Up to 24 it would be Baillie and Wagstaff's test
 * alone. */
#define REPETITIONS 25

void peer_gmp_test(const uint64_t *n, size_t count, uint8_t *prime) {
    mpz_t number;
    mpz_init(number);
    for (size_t i = 0; i < count; i++) {
        mpz_set_ui(number, n[i]);
        prime[i] = mpz_probab_prime_p(number, REPETITIONS) != 0;
    }
    mpz_clear(number);
}

const char *peer_gmp_version(void) {
    return gmp_version;
}
