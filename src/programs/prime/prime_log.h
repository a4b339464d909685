/* The job log of the prime programs: an item is a number, and its seq is its place in the order of submission.
 *
 * Results in the order of submission: what is kept of an earlier run are the first numbers, up to the first that is
 * missing. A run that a signal ended has printed the results behind it too. Their lines are cut off, but the results
 * are known: they are held until their turn has come, then printed and logged again.
 * Results as completed: all of them are kept. */
#ifndef PROGRAMS_PRIME_LOG_H
#define PROGRAMS_PRIME_LOG_H

#include "programs/base/text_buffer.h"
#include "programs/joblog/joblog.h"
#include "programs/prime/number_list.h"
#include "programs/prime/prime_options.h"
#include "programs/prime/prime_program.h"
#include "programs/prime/prime_report.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PRIME_SETTINGS = 6
};

typedef struct prime_log {
    joblog *log; /* NULL: none is wanted */
    joblog_plan plan;
    joblog_setting settings[PRIME_SETTINGS + 1];
    char retries[16], timeout[32];
    text_buffer program; /* the command behind the pipe */

    uint64_t *numbers; /* that are still to be checked, in the order of submission */
    size_t *seqs;      /* theirs */
    size_t count;
    size_t kept; /* items of an earlier run that are printed already */

    prime_outcome *held; /* in the order of submission */
    size_t held_count, held_shown;
} prime_log;

/* The numbers in the order of submission, all of them: fills in those that are still to be checked, and counts the
 * others in the report. Before anything is printed. */
void prime_log_open(prime_log *log, const prime_program *program, const prime_options *options,
                    const number_list *list, prime_report *report);

/* The outcome is printed. */
void prime_log_outcome(prime_log *log, const prime_outcome *outcome);

/* The next one that is held, if it comes before `seq`; else NULL. */
const prime_outcome *prime_log_take_held(prime_log *log, size_t seq);

void prime_log_close(prime_log *log);

#endif
