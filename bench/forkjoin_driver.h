/* What the questions of bench_forkjoin share. */
#ifndef BENCH_FORKJOIN_DRIVER_H
#define BENCH_FORKJOIN_DRIVER_H

#include "bench/forkjoin.h"

#include <stdbool.h>

typedef struct forkjoin_options {
    const struct forkjoin_question *question;
    const forkjoin_contender *contender;
    unsigned workers;
    unsigned count; /* what the question counts */
    unsigned passes;
    unsigned cut;
    unsigned grain;
    unsigned ms;
    unsigned seed;
} forkjoin_options;

typedef struct forkjoin_question {
    const char *name;
    void (*measure)(const forkjoin_options *options);
    unsigned count; /* where none is said */
    unsigned ms;    /* likewise */
} forkjoin_question;

extern const forkjoin_question forkjoin_questions[];
extern const size_t forkjoin_questions_count;

/* A usage error, if the contender cannot be asked that. */
void require(const forkjoin_options *options, bool has);

/* Returns when its workers are up and have gone to sleep. */
void open_contender(const forkjoin_options *options);

void check_result(const forkjoin_options *options, uint64_t result, uint64_t expected);

/* The figures' line: a list of one for each pass. `count` is how many forks, nodes or numbers each had. */
void print_passes(const forkjoin_options *options, uint64_t count, const char *name,
                  const double *figures);

#endif
