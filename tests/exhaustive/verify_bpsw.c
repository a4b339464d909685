/* Every number below 2^32, with a sieve beside it.
 *
 *     verify_bpsw pseudoprimes [FROM TO]...       prints the composite numbers that pass
 *     verify_bpsw compare FILE [FROM TO]...       compares them with FILE's
 *
 * Of each number from FROM to TO - 1 (all below 2^32 without any) it is checked that
 *
 *   - the strong test to base 2 of primes/bpsw.h passes it if it is an odd prime. The odd composite
 *     numbers that pass too are printed in ascending order, or must be exactly those of FILE, in
 *     which a line that begins with # is a remark;
 *   - is_prime_64 and is_prime_batch with every kernel say what the sieve says, of even ones too.
 *
 * So the list data/strong_pseudoprimes_32.txt was made, and by `compare` it is verified; that
 * is_prime_64 and the kernels go by that same list does not touch the first point.
 *
 * Returns 0; 1 if something was wrong, 2 if it was called wrongly. */
#include "answers.h"
#include "blocks.h"
#include "sieve.h"

#include "primes/bpsw.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME "verify_bpsw"

enum {
    BLOCK = 16 * ANSWERS_MOST,
    PSEUDOPRIMES_MOST = 256 /* in one block; the first has 24, no other as many */
};

/* ---- one block, on a worker ------------------------------------------------------------------ */

typedef struct range {
    sieve sieve;
    uint64_t from, to;
} range;

typedef struct scratch {
    uint8_t prime[BLOCK];
    uint64_t n[ANSWERS_MOST];
    answers answers;
} scratch;

typedef struct verdict {
    comparison comparison;
    uint64_t refuted, first_refuted; /* primes that failed the strong test */
    uint64_t pseudoprimes;           /* the first of which are in the list */
    uint32_t pseudoprime[PSEUDOPRIMES_MOST];
} verdict;

static void check_strong(uint64_t n, bool prime, verdict *v) {
    const bool passes = bpsw_strong_base_2(n);
    if (prime && !passes && v->refuted++ == 0) {
        v->first_refuted = n;
    }
    if (passes && !prime) {
        if (v->pseudoprimes < PSEUDOPRIMES_MOST) {
            v->pseudoprime[v->pseudoprimes] = (uint32_t)n;
        }
        v->pseudoprimes++;
    }
}

static void check_piece(uint64_t from, size_t count, const uint8_t *prime, scratch *s, verdict *v) {
    for (size_t i = 0; i < count; i++) {
        s->n[i] = from + i;
    }
    answers_ask(&s->answers, s->n, count);
    answers_compare(&s->answers, s->n, prime, count, &v->comparison);
    for (size_t i = 0; i < count; i++) {
        if (s->n[i] % 2 == 1 && s->n[i] > 2) {
            check_strong(s->n[i], prime[i], v);
        }
    }
}

static void check_block(const void *shared, uint64_t block, void *local, void *result) {
    const range *r = shared;
    const uint64_t from = r->from + block * BLOCK;
    const size_t count = r->to - from < BLOCK ? (size_t)(r->to - from) : BLOCK;
    scratch *s = local;
    sieve_segment(&r->sieve, from, count, s->prime);
    for (size_t i = 0; i < count; i += ANSWERS_MOST) {
        const size_t piece = count - i < ANSWERS_MOST ? count - i : ANSWERS_MOST;
        check_piece(from + i, piece, s->prime + i, s, result);
    }
}

/* ---- the list to compare with ---------------------------------------------------------------- */

/* Reads the next number; false at the end of the file, or (and *bad) where none is. */
static bool read_listed(FILE *file, uint64_t *n, bool *bad) {
    char line[256];
    while (fgets(line, sizeof line, file)) {
        if (line[0] != '#') {
            line[strcspn(line, "\n")] = '\0';
            *bad = !parse_number(line, n);
            return !*bad;
        }
    }
    *bad = ferror(file) != 0;
    return false;
}

/* The part of the file that lies in the range now checked; `left`: there is more of it. */
typedef struct list {
    FILE *file;
    uint64_t next, to;
    bool left, bad;
} list;

static void list_step(list *l) {
    l->left = read_listed(l->file, &l->next, &l->bad) && l->next < l->to;
}

static void list_begin(list *l, const range *r) {
    rewind(l->file);
    l->to = r->to;
    do {
        list_step(l);
    } while (l->left && l->next < r->from);
}

/* ---- all blocks, in order -------------------------------------------------------------------- */

typedef struct summary {
    comparison comparison;
    uint64_t refuted, pseudoprimes;
    uint64_t misplaced; /* found and not listed, or listed and not found */
    list *list;         /* NULL: they are printed */
} summary;

static void complain_of_one(summary *sum, uint64_t n, const char *what) {
    if (sum->misplaced++ == 0) {
        fprintf(stderr, NAME ": %" PRIu64 " %s\n", n, what);
    }
}

static void take_pseudoprime(summary *sum, uint64_t n) {
    list *l = sum->list;
    sum->pseudoprimes++;
    if (!l) {
        printf("%" PRIu64 "\n", n);
        return;
    }
    for (; l->left && l->next < n; list_step(l)) {
        complain_of_one(sum, l->next, "is listed, but it is prime or does not pass");
    }
    if (l->left && l->next == n) {
        list_step(l);
    } else {
        complain_of_one(sum, n, "is composite and passes, but is not listed");
    }
}

static bool take_block(void *context, uint64_t block, const void *result) {
    summary *sum = context;
    const verdict *v = result;
    (void)block;
    if (v->comparison.disagreements && !sum->comparison.disagreements) {
        disagreement_print(NAME, "the sieve", &v->comparison.first);
    }
    comparison_add(&sum->comparison, &v->comparison);
    if (v->refuted && !sum->refuted) {
        fprintf(stderr, NAME ": %" PRIu64 " is prime and fails the strong test\n",
                v->first_refuted);
    }
    sum->refuted += v->refuted;
    for (size_t i = 0; i < v->pseudoprimes && i < PSEUDOPRIMES_MOST; i++) {
        take_pseudoprime(sum, v->pseudoprime[i]);
    }
    if (v->pseudoprimes > PSEUDOPRIMES_MOST) {
        complain_of_one(sum, v->pseudoprime[0], "and too many after it pass");
    }
    return true;
}

static bool check_range(const range *r, summary *sum) {
    const block_job job = {.name = NAME,
                           .blocks = (r->to - r->from + BLOCK - 1) / BLOCK,
                           .shared = r,
                           .scratch_size = sizeof(scratch),
                           .result_size = sizeof(verdict),
                           .run = check_block,
                           .take = take_block};
    list *l = sum->list;
    if (l) {
        list_begin(l, r);
    }
    if (!blocks_run(&job, sum)) {
        return false;
    }
    for (; l && l->left; list_step(l)) {
        complain_of_one(sum, l->next, "is listed, but it is prime or does not pass");
    }
    if (l && l->bad) {
        fprintf(stderr, NAME ": a line of the list is no number, or it cannot be read\n");
    }
    return !(l && l->bad);
}

/* On stderr where stdout is for the numbers. */
static bool report(const summary *sum) {
    const bool failed = sum->comparison.disagreements || sum->refuted || sum->misplaced;
    char names[128];
    fprintf(sum->list ? stdout : stderr,
            NAME ": %" PRIu64 " numbers, %" PRIu64 " primes, %" PRIu64
                 " strong pseudoprimes%s; %" PRIu64 " primes refuted, %" PRIu64
                 " numbers not as listed, %" PRIu64 " disagreements with the sieve (%s)\n",
            sum->comparison.numbers, sum->comparison.primes, sum->pseudoprimes,
            sum->list && !sum->misplaced ? ", those of the list" : "", sum->refuted, sum->misplaced,
            sum->comparison.disagreements, implementation_names(names, sizeof names));
    return !failed;
}

/* ---- the command line ------------------------------------------------------------------------ */

static int usage(void) {
    fprintf(stderr, "usage: " NAME " pseudoprimes [FROM TO]...\n"
                    "       " NAME " compare FILE [FROM TO]...\n"
                    "       0 <= FROM < TO <= 2^32 = 4294967296\n");
    return 2;
}

static bool parse_range(char **argument, range *r) {
    return parse_number(argument[0], &r->from) && parse_number(argument[1], &r->to) &&
           r->from < r->to && r->to <= SIEVE_END;
}

/* `arguments` end with a NULL. */
static int check_ranges(char **arguments, int count, list *l) {
    static range r = {.to = SIEVE_END};
    summary sum = {.list = l};
    if (!sieve_prepare(&r.sieve)) {
        fprintf(stderr, NAME ": the sieve cannot be made\n");
        return 1;
    }
    bool done = count > 0 || check_range(&r, &sum);
    for (int i = 0; i < count && done; i += 2) {
        if (count - i < 2 || !parse_range(arguments + i, &r)) {
            return usage();
        }
        done = check_range(&r, &sum);
    }
    return done && report(&sum) && fflush(stdout) == 0 ? 0 : 1;
}

int main(int argc, char **argv) {
    if (argc >= 2 && strcmp(argv[1], "pseudoprimes") == 0) {
        return check_ranges(argv + 2, argc - 2, NULL);
    }
    if (argc >= 3 && strcmp(argv[1], "compare") == 0) {
        list l = {.file = fopen(argv[2], "re")};
        if (!l.file) {
            perror(argv[2]);
            return 1;
        }
        const int code = check_ranges(argv + 3, argc - 3, &l);
        fclose(l.file);
        return code;
    }
    return usage();
}
