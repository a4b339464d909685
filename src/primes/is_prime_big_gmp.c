#include "primes/prove_prime.h"

#include <stdlib.h>
#include <string.h>

/* GMP takes 24 off for its Baillie-Wagstaff test, and runs as many strong tests as are left. */
#define REPETITIONS 25

bool is_prime_big_available(bool prove) {
    return !prove || prove_prime_available();
}

prime_verdict is_prime_big(const char *digits, size_t length, int base, bool prove) {
    char *text = strndup(digits, length);
    mpz_t n;
    if (text == NULL || mpz_init_set_str(n, text, base) != 0) {
        abort(); /* as GMP does where there is no memory; and digits are digits */
    }
    free(text);
    const int found = mpz_probab_prime_p(n, REPETITIONS);
    prime_verdict verdict = found == 2   ? PRIME_PRIME
                            : found == 1 ? PRIME_PROBABLE
                                         : PRIME_COMPOSITE;
    if (verdict == PRIME_PROBABLE && prove) {
        verdict = prove_prime(n);
    }
    mpz_clear(n);
    return verdict;
}

void is_prime_big_forget(void) {
    prove_prime_forget();
}
