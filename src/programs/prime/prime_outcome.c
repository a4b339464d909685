#include "programs/base/output.h"
#include "programs/joblog/joblog.h"
#include "programs/prime/prime_job.h"

#include <stdio.h>

static void set_failure(prime_outcome *outcome, const cf_exception *exception) {
    joblog_entry entry = {0};
    joblog_entry_set_exception(&entry, exception);
    outcome->exit_value = entry.exit_value;
    outcome->signal = entry.signal;
    outcome->failed = true;
    cf_exception_describe(exception, outcome->reason, sizeof outcome->reason);
}

void prime_outcome_set_ending(prime_outcome *outcome, cf_future *future, cf_status status) {
    cf_info info;
    if (cf_future_info(future, &info) == CF_OK) {
        outcome->worker = info.worker;
        outcome->item = info.number;
        if (outcome->attempts < info.attempts) {
            outcome->attempts = info.attempts;
        }
    }
    cf_exception exception;
    if (status != CF_OK && cf_future_exception(future, 0, &exception) == CF_OK) {
        set_failure(outcome, &exception);
    } else if (status != CF_OK) {
        set_failure(outcome, &(cf_exception){.status = status});
    }
}

void prime_outcome_set_timeout(prime_outcome *outcome, int64_t timeout_ns) {
    set_failure(outcome, &(cf_exception){.status = CF_EDEADLINE, .timeout_ns = timeout_ns});
}

void prime_outcome_set_refusal(prime_outcome *outcome, const refusal *why) {
    char text[sizeof outcome->reason - sizeof "error: "];
    outcome->failed = true;
    outcome->exit_value = EXIT_ITEM;
    snprintf(outcome->reason, sizeof outcome->reason, "error: %s",
             refusal_describe(why, text, sizeof text));
}
