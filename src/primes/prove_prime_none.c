/* A build without FLINT: nobody comes here who asked first. */
#include "primes/prove_prime.h"

bool prove_prime_available(void) {
    return false;
}

prime_verdict prove_prime(const mpz_t n) {
    (void)n;
    return PRIME_PROBABLE;
}

void prove_prime_forget(void) {
}
