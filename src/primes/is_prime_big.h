/* Numbers of any size: by GMP, and where a proof is asked for by FLINT, as far as the build has them. */
#ifndef PRIMES_IS_PRIME_BIG_H
#define PRIMES_IS_PRIME_BIG_H

#include <stdbool.h>
#include <stddef.h>

typedef enum prime_verdict {
    PRIME_COMPOSITE, /* certainly; 0 and 1 too */
    PRIME_PRIME,     /* certainly */
    PRIME_PROBABLE   /* no composite number is known that passes as this one did */
} prime_verdict;

/* What this build can do. */
bool is_prime_big_available(bool prove);

/* The number has `length` digits in base 10 or 16, and no sign. Without `prove` by GMP's
 * mpz_probab_prime_p: Baillie and Wagstaff's test, and one strong test to another base. With it a
 * probable prime's primality is proved by FLINT's fmpz_is_prime (PRIME_PROBABLE if that finds no
 * proof), which takes long for numbers of hundreds of digits. Only where it is available. Any thread
 * may call it; memory that cannot be had ends the process, which is GMP's way. */
prime_verdict is_prime_big(const char *digits, size_t length, int base, bool prove);

/* What the calling thread keeps for its next call is given back. */
void is_prime_big_forget(void);

#endif
