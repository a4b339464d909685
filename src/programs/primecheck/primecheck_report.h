/* What primecheck prints but for the lines of numbers, which its workers make. */
#ifndef PROGRAMS_PRIMECHECK_REPORT_H
#define PROGRAMS_PRIMECHECK_REPORT_H

#include "programs/prime/prime_stats.h"
#include "programs/primecheck/check_block.h"
#include "programs/primecheck/primecheck_options.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct primecheck_report {
    const primecheck_options *options;
    const char *input; /* its name; NULL: the command line */
    uint64_t counts[CHECK_VERDICTS];
    int64_t work_ns; /* that workers spent */

    /* the report's own */
    const number_block *block; /* of the last message, which stood */
    size_t at;                 /* there, */
    uint64_t line;             /* on this line */
} primecheck_report;

/* The block is done: prints its lines, and on stderr what is no number. */
void primecheck_report_block(primecheck_report *report, const number_block *block,
                             const check_result *result);

/* The block has no result, and this is why. attempts: how often it was begun */
void primecheck_report_lost(primecheck_report *report, const number_block *block,
                            const cf_exception *exception, unsigned attempts);

/* "'x' is not a non-negative integer" */
void primecheck_report_invalid(primecheck_report *report, const char *text, size_t length,
                               uint64_t line);

/* The counts, where they are wanted. */
void primecheck_report_counts(const primecheck_report *report);

/* The summary of --json, and the stats where they are wanted. */
void primecheck_report_end(const primecheck_report *report, const prime_stats *stats);

#endif
