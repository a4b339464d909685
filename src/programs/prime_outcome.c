#include "programs/prime_job.h"

void prime_outcome_set_ending(prime_outcome *outcome, cf_future *future, cf_status status) {
    cf_info info;
    if (cf_future_info(future, &info) == CF_OK) {
        outcome->worker = info.worker;
        if (outcome->attempts < info.attempts) {
            outcome->attempts = info.attempts;
        }
    }
    cf_exception exception;
    if (status != CF_OK && cf_future_exception(future, 0, &exception) == CF_OK) {
        outcome->failed = true;
        cf_exception_describe(&exception, outcome->reason, sizeof outcome->reason);
    } else if (status != CF_OK) {
        prime_outcome_set_refusal(outcome, status);
    }
}

void prime_outcome_set_refusal(prime_outcome *outcome, cf_status status) {
    const cf_exception exception = {.status = status};
    outcome->failed = true;
    cf_exception_describe(&exception, outcome->reason, sizeof outcome->reason);
}
