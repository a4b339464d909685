#include "primes/prove_prime.h"

#include <flint/fmpz.h>

bool prove_prime_available(void) {
    return true;
}

prime_verdict prove_prime(const mpz_t n) {
    fmpz_t number;
    fmpz_init_set_readonly(number, n);
    const int proved = fmpz_is_prime(number);
    fmpz_clear_readonly(number);
    return proved > 0 ? PRIME_PRIME : proved == 0 ? PRIME_COMPOSITE : PRIME_PROBABLE;
}

void prove_prime_forget(void) {
    flint_cleanup();
}
