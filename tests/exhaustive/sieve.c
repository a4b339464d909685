#include "sieve.h"

#include "../unit/prime_oracle.h"

#include <stdlib.h>
#include <string.h>

bool sieve_prepare(sieve *s) {
    unsigned char *composite = oracle_sieve(UINT16_MAX);
    size_t count = 0;
    for (uint32_t n = 3; composite && n <= UINT16_MAX; n += 2) {
        if (!composite[n]) {
            if (count < SIEVE_PRIMES) {
                s->primes[count] = n;
            }
            count++;
        }
    }
    free(composite);
    return count == SIEVE_PRIMES;
}

/* Neither 0 and 1 nor even numbers but 2, as far as they lie in the segment. */
static void begin_segment(uint64_t from, size_t count, uint8_t *prime) {
    for (size_t i = 0; i < count; i++) {
        prime[i] = (uint8_t)((from + i) & 1);
    }
    for (uint64_t n = from; n <= 2 && n - from < count; n++) {
        prime[n - from] = n == 2;
    }
}

void sieve_segment(const sieve *s, uint64_t from, size_t count, uint8_t *prime) {
    const uint64_t end = from + count;
    begin_segment(from, count, prime);
    for (size_t i = 0; i < SIEVE_PRIMES; i++) {
        const uint64_t p = s->primes[i];
        if (p * p >= end) {
            break;
        }
        uint64_t multiple = p * p < from ? (from + p - 1) / p * p : p * p;
        multiple += multiple % 2 == 0 ? p : 0;
        for (; multiple < end; multiple += 2 * p) {
            prime[multiple - from] = 0;
        }
    }
}
