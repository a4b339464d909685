#include "programs/flags/download_observed.h"

#include "download/attempt.h"

/* Why the attempt, the last one or another, came to nothing; NULL = it did not. */
static const char *reason_of(const download_result *result, const download_attempt *attempt,
                             char *text, size_t size) {
    if (attempt->number < result->attempts) {
        return download_attempt_describe(attempt, text, size);
    }
    return result->status == DOWNLOAD_ERROR  ? result->message
           : result->status == DOWNLOAD_LEFT ? "told to stop"
                                             : NULL;
}

static void observe_attempt(observing *to, uint64_t item, int64_t asked_ns,
                            const download_result *result, const download_attempt *attempt) {
    char text[sizeof result->message];
    const char *reason = reason_of(result, attempt, text, sizeof text);
    const run_entry run = {
        .item = item,
        .items = 1,
        .attempt = attempt->number,
        .submitted_ns = asked_ns,
        .begun_ns = attempt->begun_ns,
        .first_byte_ns = attempt->first_byte_ns,
        .ended_ns = attempt->ended_ns,
        .worker = (int32_t)attempt->worker,
        .detail = attempt->http_status,
        .ending = reason == NULL                       ? RUN_OK
                  : download_attempt_was_late(attempt) ? RUN_LATE
                                                       : RUN_ERROR,
    };
    observing_attempt(to, &run, "download", result->code.text, reason);
}

void download_observe(observing *to, uint64_t item, int64_t asked_ns,
                      const download_result *result) {
    if (to == NULL) {
        return;
    }
    for (unsigned i = 0; i < result->kept; i++) {
        observe_attempt(to, item, asked_ns, result, &result->attempt[i]);
    }
    if (result->status != DOWNLOAD_LEFT) {
        observing_handed(to, item, result->code.text);
    }
}
