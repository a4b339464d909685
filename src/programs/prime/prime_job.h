/* A list of numbers given to an executor, and how each of them ended.
 *
 * Both ways of sharing the work show a result as soon as its turn has come, and flush what they
 * have shown before they wait or submit again: so a serial executor, which works inside submit,
 * shows each number as it is checked, and results that are there in bulk are written in bulk.
 */
#ifndef PROGRAMS_PRIME_JOB_H
#define PROGRAMS_PRIME_JOB_H

#include "programs/base/refusal.h"
#include "programs/prime/prime_report.h"

#include <cfutures.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct prime_job {
    cf_executor *executor;
    const uint64_t *numbers; /* in the order of submission */
    const size_t *seqs;      /* of the numbers: see prime_outcome */
    size_t count;
    size_t method; /* index into PRIME_METHODS: means the same in every worker */
    unsigned retries;
    int64_t timeout_ns; /* for each number; 0 = none */
    bool completed;     /* show results as completed, not in the order of submission */
    prime_report *report;
} prime_job;

/* One task a number. */
void prime_job_run_whole(const prime_job *job);

/* Many tasks a number, each with a part of its divisors; the method must have parts (.refute). */
void prime_job_run_split(const prime_job *job);

/* Where a task ran; and, unless `status` is CF_OK, why there is no result. For a future that is
 * done, and the status that its result call gave. */
void prime_outcome_set_ending(prime_outcome *outcome, cf_future *future, cf_status status);

/* A number whose time is over. */
void prime_outcome_set_timeout(prime_outcome *outcome, int64_t timeout_ns);

/* A task that submit refused. */
void prime_outcome_set_refusal(prime_outcome *outcome, const refusal *why);

#endif
