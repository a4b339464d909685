/* What every implementation of the primality test says of the same numbers: each kernel that this
 * machine can run, and is_prime_64 one number at a time. */
#ifndef TESTS_EXHAUSTIVE_ANSWERS_H
#define TESTS_EXHAUSTIVE_ANSWERS_H

#include "primes/kernel.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMPLEMENTATIONS (PRIME_KERNELS + 1) /* the kernels by their numbers, then is_prime_64 */

bool implementation_available(int implementation);
const char *implementation_name(int implementation);

/* The names of all available ones, such as "portable, avx2, one at a time"; returns `text`. */
char *implementation_names(char *text, size_t size);

/* For if and for, as one loop. */
#define EACH_IMPLEMENTATION(i)                                                                     \
    for (int i = 0; i < IMPLEMENTATIONS; i++)                                                      \
        if (implementation_available(i))

#define ANSWERS_MOST 16384 /* enough for full vectors, and few enough for the second-level cache */

typedef struct answers {
    uint8_t said[IMPLEMENTATIONS][ANSWERS_MOST]; /* rows of unavailable ones mean nothing */
} answers;

/* Asks all of them; count <= ANSWERS_MOST. */
void answers_ask(answers *a, const uint64_t *n, size_t count);

typedef struct disagreement {
    uint64_t n;
    uint8_t wanted;
    uint8_t said[IMPLEMENTATIONS];
} disagreement;

/* Sums over any number of pieces; zeroed to begin with. */
typedef struct comparison {
    uint64_t numbers, primes;
    uint64_t disagreements; /* numbers of which not all said what was wanted */
    disagreement first;     /* if there is one */
} comparison;

/* wanted[i]: 1 if n[i] is prime, else 0. */
void answers_compare(const answers *a, const uint64_t *n, const uint8_t *wanted, size_t count,
                     comparison *sum);

/* Adds the sums of later numbers. */
void comparison_add(comparison *sum, const comparison *part);

/* "NAME: 4: ORACLE says composite, portable composite, avx2 prime, ..." on stderr. */
void disagreement_print(const char *name, const char *oracle, const disagreement *d);

#endif
