#include "bench/contender.h"

#include <flint/ulong_extras.h>

void peer_flint_test(const uint64_t *n, size_t count, uint8_t *prime) {
    for (size_t i = 0; i < count; i++) {
        prime[i] = n_is_prime(n[i]) != 0;
    }
}

const char *peer_flint_version(void) {
    return FLINT_VERSION;
}
