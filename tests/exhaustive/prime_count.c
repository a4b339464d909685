/* How many primes there are, by every implementation, against counts that others have made.
 *
 *     prime_count POWER            below 10^6, 10^7, ... 10^POWER
 *     prime_count POWER windows    and in some windows of 10^7 numbers, up to the end of 64 bits
 *
 * Every number of a range is asked for, even ones too. POWER is at most 12. Returns 0; 1 if a count
 * was wrong, 2 if the program was called wrongly. */
#include "answers.h"
#include "blocks.h"

#include "../support.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#ifdef HAVE_PRIMESIEVE
#include <primesieve.h>
#endif

#define NAME "prime_count"

/* The On-Line Encyclopedia of Integer Sequences, A006880. */
enum {
    POWER_LEAST = 6,
    POWER_MOST = 12
};
static const uint64_t PI[POWER_MOST + 1] = {
    [6] = UINT64_C(78498),        [7] = UINT64_C(664579),     [8] = UINT64_C(5761455),
    [9] = UINT64_C(50847534),     [10] = UINT64_C(455052511), [11] = UINT64_C(4118054813),
    [12] = UINT64_C(37607912018),
};

/* Where the arithmetic of one kernel or the other changes. Counted by primesieve 11.0
 * (primesieve_count_primes), and once more by FLINT 2.9.0 (n_is_prime of each number). */
#define WINDOW UINT64_C(10000000)
static const struct window {
    const char *name;
    uint64_t from, primes;
} windows[] = {
    {"[2^32 - 10^7, 2^32)", (UINT64_C(1) << 32) - WINDOW, 450525},
    {"[2^32, 2^32 + 10^7)", (UINT64_C(1) << 32), 450562},
    {"[2^52 - 10^7, 2^52)", (UINT64_C(1) << 52) - WINDOW, 277689},
    {"[2^52, 2^52 + 10^7)", (UINT64_C(1) << 52), 277722},
    {"[2^53 - 10^7, 2^53)", (UINT64_C(1) << 53) - WINDOW, 273017},
    {"[2^63 - 10^7, 2^63)", (UINT64_C(1) << 63) - WINDOW, 229023},
    {"[2^63, 2^63 + 10^7)", (UINT64_C(1) << 63), 228925},
    {"[2^64 - 10^7, 2^64)", UINT64_MAX - WINDOW + 1, 225271},
};

/* ---- one block, on a worker ------------------------------------------------------------------ */

enum {
    BLOCK = 100000 /* divides every number that is counted up to */
};

typedef struct scratch {
    uint64_t n[ANSWERS_MOST];
    answers answers;
} scratch;

typedef struct counts {
    uint64_t primes[IMPLEMENTATIONS];
} counts;

static void count_piece(uint64_t from, size_t count, scratch *s, counts *c) {
    for (size_t i = 0; i < count; i++) {
        s->n[i] = from + i;
    }
    answers_ask(&s->answers, s->n, count);
    EACH_IMPLEMENTATION(k) {
        for (size_t i = 0; i < count; i++) {
            c->primes[k] += s->answers.said[k][i];
        }
    }
}

static void count_block(const void *shared, uint64_t block, void *local, void *result) {
    const uint64_t from = *(const uint64_t *)shared + block * BLOCK;
    for (size_t i = 0; i < BLOCK; i += ANSWERS_MOST) {
        const size_t piece = BLOCK - i < ANSWERS_MOST ? BLOCK - i : ANSWERS_MOST;
        count_piece(from + i, piece, local, result);
    }
}

/* ---- all blocks, in order -------------------------------------------------------------------- */

/* Says how the counts compare with what another has counted. */
static bool expect(const char *range, uint64_t wanted, const char *source, const counts *c) {
    bool agree = true;
    char names[128];
    EACH_IMPLEMENTATION(k) {
        if (c->primes[k] != wanted) {
            fprintf(stderr, NAME ": %s: %" PRIu64 " by %s, but %" PRIu64 " by %s\n", range, wanted,
                    source, c->primes[k], implementation_name(k));
            agree = false;
        }
    }
    if (agree) {
        printf("%s: %" PRIu64 " primes by %s; the same by %s\n", range, wanted, source,
               implementation_names(names, sizeof names));
        fflush(stdout);
    }
    return agree;
}

typedef struct summary {
    counts counts;
    unsigned power;       /* the next to compare at */
    uint64_t power_of_10; /* 10^power */
    bool agree;
} summary;

static bool take_block(void *context, uint64_t block, const void *result) {
    summary *sum = context;
    const counts *c = result;
    char range[32];
    EACH_IMPLEMENTATION(k) {
        sum->counts.primes[k] += c->primes[k];
    }
    if ((block + 1) * BLOCK == sum->power_of_10) {
        snprintf(range, sizeof range, "[0, 10^%u)", sum->power);
        sum->agree = expect(range, PI[sum->power], "OEIS A006880", &sum->counts) && sum->agree;
        sum->power++;
        sum->power_of_10 *= 10;
    }
    return true;
}

static bool count_range(uint64_t from, uint64_t length, summary *sum) {
    const block_job job = {.name = NAME,
                           .blocks = length / BLOCK,
                           .shared = &from,
                           .scratch_size = sizeof(scratch),
                           .result_size = sizeof(counts),
                           .run = count_block,
                           .take = take_block};
    return blocks_run(&job, sum);
}

static bool check_powers(unsigned most) {
    summary sum = {.power = POWER_LEAST, .power_of_10 = 1000000, .agree = true};
    uint64_t end = 1;
    for (unsigned i = 0; i < most; i++) {
        end *= 10;
    }
    return count_range(0, end, &sum) && sum.power == most + 1 && sum.agree;
}

static bool check_window(const struct window *w) {
    summary sum = {.agree = true}; /* compared once, here */
    if (!count_range(w->from, WINDOW, &sum)) {
        return false;
    }
    bool agree = expect(w->name, w->primes, "the table", &sum.counts);
#ifdef HAVE_PRIMESIEVE
    char source[64];
    snprintf(source, sizeof source, "primesieve %s", primesieve_version());
    const uint64_t primes = primesieve_count_primes(w->from, w->from + (WINDOW - 1));
    agree = expect(w->name, primes, source, &sum.counts) && agree;
#endif
    return agree;
}

static bool check_windows(void) {
    bool agree = true;
    for (size_t i = 0; i < COUNT_OF(windows); i++) {
        agree = check_window(&windows[i]) && agree;
    }
    return agree;
}

int main(int argc, char **argv) {
    uint64_t power;
    const bool with_windows = argc == 3 && strcmp(argv[2], "windows") == 0;
    if (argc < 2 || argc > 2 + with_windows || !parse_number(argv[1], &power) ||
        power < POWER_LEAST || power > POWER_MOST) {
        fprintf(stderr, "usage: " NAME " POWER [windows]\n"
                        "       POWER: of ten, from 6 to 12\n");
        return 2;
    }
    const bool powers_agree = check_powers((unsigned)power);
    const bool windows_agree = !with_windows || check_windows();
    return powers_agree && windows_agree ? 0 : 1;
}
