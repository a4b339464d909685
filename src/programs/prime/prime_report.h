/* What the prime programs print: as text, or as one JSON object a line. */
#ifndef PROGRAMS_PRIME_REPORT_H
#define PROGRAMS_PRIME_REPORT_H

#include "programs/prime/prime_options.h"
#include "programs/prime/prime_program.h"
#include "programs/prime/prime_stats.h"

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
    size_t checked; /* counted as they are shown: numbers with an answer, ... */
    size_t primes;  /* ... of these the primes, ... */
    size_t failed;  /* ... and numbers without one */
    int64_t work_ns;
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

/* The last line, and the stats where they are wanted. */
void prime_report_end(const prime_report *report, const prime_program *program,
                      const prime_options *options, const prime_stats *stats);

#endif
