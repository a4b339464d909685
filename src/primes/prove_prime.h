/* A proof that a probable prime is prime: what is_prime_big asks of FLINT, where the build has it. */
#ifndef PRIMES_PROVE_PRIME_H
#define PRIMES_PROVE_PRIME_H

#include "primes/is_prime_big.h"

#include <gmp.h>

bool prove_prime_available(void);
prime_verdict prove_prime(const mpz_t n);
void prove_prime_forget(void);

#endif
