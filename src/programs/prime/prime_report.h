/* What the prime programs print: as text, or as one JSON object a line. */
#ifndef PROGRAMS_PRIME_REPORT_H
#define PROGRAMS_PRIME_REPORT_H

#include "primes/primes.h"
#include "programs/base/metrics.h"
#include "programs/base/progress.h"
#include "programs/prime/prime_options.h"
#include "programs/prime/prime_program.h"
#include "programs/prime/prime_stats.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How one number ended. */
typedef struct prime_outcome {
    uint64_t n;
    size_t
        seq; /* its place in the order of submission, from 1; numbers of an earlier run count too */
    bool prime;
    int64_t elapsed_ns; /* of the test; where it is split, from its first part's start to its last
                           part's end */
    int64_t started_ns; /* since the epoch; 0 = unknown */
    int64_t work_ns;    /* what its workers spent on it together; the same unless it is split */
    int worker;         /* that ended it; -1 if none was given it */
    unsigned attempts;
    uint64_t item;          /* the number of its task, if its times are recorded */
    bool failed;            /* then prime, elapsed_ns and work_ns mean nothing, and */
    char reason[120];       /* why, */
    int exit_value, signal; /* and the same as if a process of its own had checked it */
} prime_outcome;

typedef struct prime_report {
    bool json;
    observing *observing; /* is told what is shown; may be NULL */
    struct prime_log *log;
    size_t count;          /* of numbers, and counted as they are shown: ... */
    atomic_size_t checked; /* ... numbers with an answer, ... */
    atomic_size_t primes;  /* ... of these the primes, ... */
    atomic_size_t failed;  /* ... and numbers without one */
    int64_t work_ns;
    metrics metrics;
    progress progress;
    const prime_method *method; /* by which numbers are weighed for it */
    double weight, all_weight;  /* of the numbers that are shown; of all */
} prime_report;

/* The first line, flushed. */
void prime_report_header(prime_report *report, const prime_program *program, size_t count,
                         unsigned workers);

/* Prints, counts and logs it. */
void prime_report_outcome(prime_report *report, const prime_outcome *outcome);

/* Counts it; an earlier run has printed and logged it. */
void prime_report_count(prime_report *report, const prime_outcome *outcome);

/* Outcomes that an earlier run knew, and which have not been printed again. */
void prime_report_held(prime_report *report);

void prime_report_flush(const prime_report *report); /* and what is logged */
/* On the terminal, how far it is, where that is wanted. A number weighs as much as its square root, which the
 * divisors to try go up to; where the method tries none, all weigh the same. under_way: of the numbers that
 * are not shown yet, as much as is known to be done. */
void prime_report_begin_progress(prime_report *report, const prime_options *options,
                                 const uint64_t *numbers, size_t count);
double prime_report_weight(const prime_report *report, uint64_t n);
void prime_report_progress(prime_report *report, double under_way);

/* A signal ends the program, and what was finished is printed. */
void prime_report_stopped(prime_report *report);

/* The last line, and the stats where they are wanted. */
void prime_report_end(const prime_report *report, const prime_program *program,
                      const prime_options *options, const prime_stats *stats);

#endif
