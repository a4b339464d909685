/* Random numbers, of which every implementation must say what an oracle says: FLINT's n_is_prime or,
 * in a build without FLINT, oracle_is_prime of unit/prime_oracle.h.
 *
 *     oracle_run COUNT [SEED]      SEED: else CF_TEST_SEED, else a new one
 *     oracle_run_bases             the same, always without FLINT
 *
 * The seed is printed first. The numbers depend on it alone, COUNT says how many of them: they are
 * made in blocks, each from a seed of its own.
 *
 * The mix. Of 64 numbers there are on the average
 *
 *   8   odd, of 64 bits
 *   4   any, of 64 bits
 *   8   odd, below 2^52
 *   8   odd, below 2^32
 *   4   any, of any length
 *   8   products of two primes of any lengths, out of a table of 1024 primes of each length
 *   8   p * q with q = k * (p - 1) + 1, k * (p - 1) - 1 or k * (p + 1) + 1, p out of the table:
 *       where q happens to be prime, 1 of some 10, these are likely to be pseudoprimes, of Fermat's
 *       kind or of Lucas's
 *   8   primes: the first from a random number of any length on
 *   8   of oracle_number
 *
 * which takes about a microsecond a number, with all answers (FLINT, AMD EPYC).
 *
 * Returns 0; 1 if there was a disagreement, 2 if it was called wrongly. */
#include "answers.h"
#include "blocks.h"

#include "../support.h"
#include "../unit/prime_oracle.h"

#include "primes/bpsw.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#ifdef HAVE_FLINT
#include <flint/flint.h>
#include <flint/ulong_extras.h>
#endif

#define NAME "oracle_run"

/* After so many it is known well enough that something is wrong. */
#define DISAGREEMENTS_MOST 100

/* ---- the oracle ------------------------------------------------------------------------------ */

#ifdef HAVE_FLINT
#define ORACLE "FLINT " FLINT_VERSION

static bool is_prime_by_oracle(uint64_t n) {
    return n_is_prime(n) != 0;
}

/* FLINT keeps tables for each thread that has called it. */
static void leave_oracle(void) {
    flint_cleanup();
}
#else
#define ORACLE "the strong test to twelve bases"

static bool is_prime_by_oracle(uint64_t n) {
    return oracle_is_prime(n);
}

static void leave_oracle(void) {
}
#endif

/* ---- the numbers ----------------------------------------------------------------------------- */

enum {
    LENGTH_LEAST = 7, /* in bits */
    LENGTH_MOST = 57, /* a product with one of the least length has 64 */
    EACH_LENGTH = 1024
};

typedef struct run {
    uint64_t count, seed;
    uint64_t primes[LENGTH_MOST + 1][EACH_LENGTH]; /* to make products of */
} run;

/* The least prime from n on, or from 1 on where that is beyond 64 bits. */
static uint64_t prime_from(uint64_t n) {
    for (n |= 1; !is_prime_by_oracle(n); n += 2) {}
    return n;
}

static void fill_primes(run *r) {
    uint64_t seed = r->seed;
    for (int length = LENGTH_LEAST; length <= LENGTH_MOST; length++) {
        for (size_t i = 0; i < EACH_LENGTH; i++) {
            const uint64_t n = random_next(&seed) >> (64 - length);
            r->primes[length][i] = prime_from(n | UINT64_C(1) << (length - 1));
        }
    }
}

static uint64_t random_below(uint64_t *seed, uint64_t end) {
    return random_next(seed) % end;
}

static uint64_t any_length(uint64_t *seed) {
    const uint64_t n = random_next(seed);
    return n >> random_below(seed, 64);
}

static uint64_t prime_of_length(const run *r, uint64_t *seed, uint64_t length) {
    return r->primes[length][random_below(seed, EACH_LENGTH)];
}

static uint64_t semiprime(const run *r, uint64_t *seed) {
    const uint64_t length = LENGTH_LEAST + random_below(seed, LENGTH_MOST - LENGTH_LEAST + 1);
    const uint64_t others = 64 - length - LENGTH_LEAST + 1;
    const uint64_t other = LENGTH_LEAST + random_below(seed, others);
    const uint64_t p = prime_of_length(r, seed, length);
    return p * prime_of_length(r, seed, other);
}

/* Where that is beyond 64 bits, or q is not prime: some other number. */
static uint64_t product_of_kin(const run *r, uint64_t *seed) {
    const uint64_t p = prime_of_length(r, seed, LENGTH_LEAST + random_below(seed, 25));
    const uint64_t k = 2 + random_below(seed, 6);
    switch (random_below(seed, 3)) {
    case 0:
        return p * (k * (p - 1) + 1);
    case 1:
        return p * (k * (p - 1) - 1);
    default:
        return p * (k * (p + 1) + 1);
    }
}

static uint64_t next_number(const run *r, uint64_t *seed) {
    static const uint8_t ends[] = {8, 12, 20, 28, 32, 40, 48, 56, 64}; /* the shares, summed up */
    const uint64_t lot = random_below(seed, ends[COUNT_OF(ends) - 1]);
    size_t kind = 0;
    while (lot >= ends[kind]) {
        kind++;
    }
    switch (kind) {
    case 0:
        return random_next(seed) | 1;
    case 1:
        return random_next(seed);
    case 2:
        return random_next(seed) >> 12 | 1;
    case 3:
        return random_next(seed) >> 32 | 1;
    case 4:
        return any_length(seed);
    case 5:
        return semiprime(r, seed);
    case 6:
        return product_of_kin(r, seed);
    case 7:
        return prime_from(any_length(seed));
    default:
        return oracle_number(seed);
    }
}

/* ---- one block, on a worker ------------------------------------------------------------------ */

#define BLOCK ANSWERS_MOST

typedef struct scratch {
    uint64_t n[BLOCK];
    uint8_t prime[BLOCK];
    answers answers;
} scratch;

typedef struct verdict {
    comparison comparison;
    uint64_t pseudoprimes; /* composite, and pass the strong test to base 2 */
} verdict;

/* Blocks whose numbers follow each other have seeds that do not. */
static uint64_t block_seed(const run *r, uint64_t block) {
    uint64_t seed = r->seed;
    uint64_t mixed = random_next(&seed) + block;
    return random_next(&mixed);
}

static bool is_pseudoprime(uint64_t n, bool prime) {
    return n % 2 == 1 && n > 2 && !prime && bpsw_strong_base_2(n);
}

static void check_block(const void *shared, uint64_t block, void *local, void *result) {
    const run *r = shared;
    scratch *s = local;
    verdict *v = result;
    const uint64_t left = r->count - block * BLOCK;
    const size_t count = left < BLOCK ? (size_t)left : BLOCK;
    uint64_t seed = block_seed(r, block);
    for (size_t i = 0; i < count; i++) {
        s->n[i] = next_number(r, &seed);
        s->prime[i] = is_prime_by_oracle(s->n[i]);
        v->pseudoprimes += is_pseudoprime(s->n[i], s->prime[i]);
    }
    answers_ask(&s->answers, s->n, count);
    answers_compare(&s->answers, s->n, s->prime, count, &v->comparison);
}

/* ---- all blocks, in order -------------------------------------------------------------------- */

static bool take_block(void *context, uint64_t block, const void *result) {
    verdict *sum = context;
    const verdict *v = result;
    (void)block;
    if (v->comparison.disagreements) {
        disagreement_print(NAME, ORACLE, &v->comparison.first);
    }
    comparison_add(&sum->comparison, &v->comparison);
    sum->pseudoprimes += v->pseudoprimes;
    return sum->comparison.disagreements < DISAGREEMENTS_MOST;
}

static bool check(const run *r) {
    const block_job job = {.name = NAME,
                           .blocks = (r->count + BLOCK - 1) / BLOCK,
                           .shared = r,
                           .scratch_size = sizeof(scratch),
                           .result_size = sizeof(verdict),
                           .run = check_block,
                           .leave = leave_oracle,
                           .take = take_block};
    verdict sum = {0};
    char names[128];
    if (!blocks_run(&job, &sum)) {
        return false;
    }
    fprintf(stderr, NAME ": %" PRIu64 " primes, %" PRIu64 " strong pseudoprimes to base 2\n",
            sum.comparison.primes, sum.pseudoprimes);
    printf(NAME ": %" PRIu64 " numbers, seed %" PRIu64 ": %" PRIu64
                " disagreements (%s; oracle " ORACLE ")\n",
           sum.comparison.numbers, r->seed, sum.comparison.disagreements,
           implementation_names(names, sizeof names));
    return sum.comparison.disagreements == 0;
}

int main(int argc, char **argv) {
    static run r;
    if (argc < 2 || argc > 3 || !parse_number(argv[1], &r.count) || r.count == 0 ||
        (argc == 3 && !parse_number(argv[2], &r.seed))) {
        fprintf(stderr, "usage: " NAME " COUNT [SEED]\n");
        return 2;
    }
    if (argc == 3) {
        fprintf(stderr, NAME ": CF_TEST_SEED=%" PRIu64 "\n", r.seed);
    } else {
        r.seed = test_seed(NAME);
    }
    fill_primes(&r);
    leave_oracle();
    return check(&r) ? 0 : 1;
}
