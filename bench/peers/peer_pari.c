#include "bench/contender.h"

#include <stdio.h>

#include <pari/pari.h>

#define STACK_BYTES     8000000 /* both as in PARI's own examples; uisprime needs neither */
#define TABLE_OF_PRIMES 500000

void peer_pari_test(const uint64_t *n, size_t count, uint8_t *prime) {
    for (size_t i = 0; i < count; i++) {
        prime[i] = uisprime(n[i]) != 0;
    }
}

/* Without INIT_SIGm: Ctrl-C is to end the driver, not to begin PARI's error handling. */
void peer_pari_prepare(void) {
    pari_init_opts(STACK_BYTES, TABLE_OF_PRIMES, INIT_DFTm);
}

/* Of the library that runs, not of the header. */
const char *peer_pari_version(void) {
    static char text[64];
    GEN version = pari_version();
    snprintf(text, sizeof text, "%ld.%ld.%ld", itos(gel(version, 1)), itos(gel(version, 2)),
             itos(gel(version, 3)));
    return text;
}
