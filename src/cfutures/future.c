/* The calls on one future. */
#include "cfutures/core/ending.h"
#include "cfutures/core/reference.h"
#include "cfutures/core/submission.h"
#include "cfutures/queue/times.h"
#include "cfutures/waiting/await.h"

#include "platform/assert.h"
#include "platform/copy.h"

#include <stdio.h>
#include <string.h>

cf_status cf_future_exception(cf_future *future, int64_t timeout_ns, cf_exception *exception) {
    if (future == NULL || exception == NULL) {
        return CF_EINVAL;
    }
    if (cfi_future_is_foreign(future)) {
        return CF_EFORKED;
    }
    uint64_t word;
    cf_status status = cfi_await_future(future, timeout_ns, &word);
    if (status != CF_OK) {
        return status;
    }
    cfi_ending_of(future, exception);
    if (exception->status != CF_OK && exception->status != CF_ECANCELLED) {
        cfi_ending_observed(future);
    }
    return CF_OK;
}

cf_status cf_future_view(cf_future *future, int64_t timeout_ns, const void **result, size_t *size) {
    if (result == NULL || size == NULL) {
        return CF_EINVAL;
    }
    if (future == NULL) {
        return CF_EINVAL;
    }
    if (cfi_future_is_foreign(future)) {
        return CF_EFORKED;
    }
    uint64_t word;
    size_t bytes = 0;
    cf_status status = cfi_await_future(future, timeout_ns, &word);
    if (status == CF_OK && !cfi_ending_is_success(future, word, &bytes)) {
        cf_exception exception;
        status = cf_future_exception(future, 0, &exception);
        status = status == CF_OK ? exception.status : status;
        status = status == CF_OK ? CF_EBROKEN : status; /* a task is just overwriting the slot */
    }
    if (status != CF_OK) {
        return status;
    }
    *size = bytes;
    *result = bytes > 0 ? cfi_future_result(future, cfi_executor_of(future)->queue.base) : NULL;
    return CF_OK;
}

cf_status cf_future_result(cf_future *future, int64_t timeout_ns, void *result) {
    const void *lies_at;
    size_t size;
    cf_status status = cf_future_view(future, timeout_ns, &lies_at, &size);
    if (status == CF_OK && result != NULL && size > 0) {
        plat_copy(result, lies_at, size);
    }
    return status;
}

static cf_state state_of(uint64_t word) {
    if (cfi_word_is_over(word) && cfi_word_phase(word) != CFI_CANCELLED) {
        return CF_FINISHED; /* also if a task has overwritten it */
    }
    switch (cfi_word_phase(word)) {
    case CFI_RUNNING:
        return CF_RUNNING;
    case CFI_FINISHED:
        return CF_FINISHED;
    case CFI_CANCELLED:
        return CF_CANCELLED;
    case CFI_CLOSED:
    case CFI_PENDING:
        break;
    }
    return CF_PENDING;
}

cf_state cf_future_state(const cf_future *future) {
    return cfi_future_is_foreign(future) ? CF_PENDING
                                         : state_of(plat_load_acquire(&cfi_slot_of(future)->word));
}

bool cf_future_running(const cf_future *future) {
    return cf_future_state(future) == CF_RUNNING;
}

bool cf_future_done(const cf_future *future) {
    return !cfi_future_is_foreign(future) &&
           cfi_word_is_over(plat_load_acquire(&cfi_slot_of(future)->word));
}

/* The state is read once, because the word may change meanwhile. */
char *cf_future_describe(const cf_future *future, char *text, size_t size) {
    cf_future *known = (cf_future *)future; /* only read from here */
    if (cfi_future_is_foreign(future)) {
        snprintf(text, size, "<Future at %p of another process>", (const void *)future);
        return text;
    }
    uint64_t word = plat_load_acquire(&cfi_slot_of(future)->word);
    cf_state state = state_of(word);
    const char *verb = "", *what = "";
    if (state == CF_FINISHED) {
        cf_exception exception;
        cfi_ending_of(known, &exception);
        bool returned = exception.status == CF_OK;
        verb = returned ? " returned " : " raised ";
        what = returned ? cfi_executor_task_of(cfi_executor_of(future), future)->result_type
                        : cf_status_name(exception.status);
    }
    snprintf(text, size, "<Future at %p state=%s%s%s>", (const void *)future, cf_state_name(state),
             verb, what);
    return text;
}

bool cf_future_cancel(cf_future *future) {
    return future != NULL && !cfi_future_is_foreign(future) &&
           cfi_executor_cancel(cfi_executor_of(future), future);
}

cf_status cf_future_info(const cf_future *future, cf_info *info) {
    if (future == NULL || info == NULL) {
        return CF_EINVAL;
    }
    if (cfi_future_is_foreign(future)) {
        return CF_EFORKED;
    }
    uint64_t word = plat_load_acquire(&cfi_slot_of(future)->word);
    *info = (cf_info){
        .state = state_of(word),
        .worker = cfi_word_attempts(word) > 0 ? (int)cfi_word_owner(word) : -1,
        .attempts = cfi_word_attempts(word),
    };
    cfi_times *times = cfi_times_of(&cfi_executor_of(future)->queue, future);
    if (times != NULL) {
        info->submitted_ns = plat_load_relaxed(&times->submitted_ns);
        info->started_ns = plat_load_relaxed(&times->started_ns);
        info->finished_ns = plat_load_relaxed(&times->finished_ns);
        info->number = plat_load_relaxed(&times->number);
    }
    return CF_OK;
}

cf_future *cf_future_retain(cf_future *future) {
    if (future != NULL && !cfi_future_is_foreign(future)) {
        cfi_future_retain(future);
    }
    return future;
}

void cf_future_release(cf_future *future) {
    if (future != NULL && !cfi_future_is_foreign(future)) {
        cfi_future_release(future);
    }
}
