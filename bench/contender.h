/* Who is measured by the driver, and how it is called. */
#ifndef BENCH_CONTENDER_H
#define BENCH_CONTENDER_H

#include <stddef.h>
#include <stdint.h>

typedef struct contender {
    const char *name;

    /* prime[i] becomes 1 if n[i] is prime, else 0. NULL: was not there when this was built. */
    void (*test)(const uint64_t *n, size_t count, uint8_t *prime);

    void (*prepare)(void);        /* once, before all else; NULL: nothing to prepare */
    const char *(*version)(void); /* NULL: ours */
    const char *kernel;           /* which it needs; NULL: none */
} contender;

/* ---- the peers, each in a file of its own: their headers do not go together ------------------ */

void peer_flint_test(const uint64_t *n, size_t count, uint8_t *prime);
const char *peer_flint_version(void);

void peer_gmp_test(const uint64_t *n, size_t count, uint8_t *prime);
const char *peer_gmp_version(void);

void peer_pari_test(const uint64_t *n, size_t count, uint8_t *prime);
void peer_pari_prepare(void);
const char *peer_pari_version(void);

#endif
