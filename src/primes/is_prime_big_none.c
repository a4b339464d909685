/* A build without GMP: nobody comes here who asked first. */
#include "primes/is_prime_big.h"

bool is_prime_big_available(bool prove) {
    (void)prove;
    return false;
}

prime_verdict is_prime_big(const char *digits, size_t length, int base, bool prove) {
    (void)digits;
    (void)length;
    (void)base;
    (void)prove;
    return PRIME_COMPOSITE;
}

void is_prime_big_forget(void) {
}
