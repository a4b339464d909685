/* What a caller can ask of one task. */
#include "cfutures/core/ending.h"
#include "cfutures/waiting/nested.h"
#include "cfutures/queue/times.h"
#include "cfutures/queue/tuning.h"

#include "platform/copy.h"
#include "platform/fork_mark.h"
#include "platform/futex.h"
#include "platform/spin.h"
#include "platform/wait_status.h"

#include <stdio.h>
#include <string.h>

static cf_status sleep_on(cfi_slot *slot, uint64_t word, int64_t deadline_ns) {
    cfi_blocked blocked = {.slot = slot};
    bool shared = cfi_executor_of(slot)->queue.shared;
    if (deadline_ns >= 0) { /* it ends by itself */
        return cfi_futex_wait(&slot->futex, (uint32_t)word, deadline_ns, shared) ? CF_OK
                                                                                 : CF_ETIMEDOUT;
    }
    if (!cfi_nested_block(&blocked)) {
        return CF_EDEADLOCK;
    }
    cfi_futex_wait(&slot->futex, (uint32_t)word, deadline_ns, shared);
    cfi_nested_unblock(&blocked);
    return CF_OK;
}

/* A small task is done before its waiter could fall asleep and be woken. */
static bool settles_soon(const cfi_slot *slot, uint64_t *word) {
    for (unsigned i = 0; i < CFI_WAIT_LOOKS; i++) {
        *word = cfi_load_acquire(&slot->word);
        if (cfi_word_settled(*word)) {
            return true;
        }
        cfi_spin_pause();
    }
    return false;
}

/* CF_OK: *word is the settled word. CF_ETIMEDOUT, CF_EDEADLOCK. */
static cf_status wait_longer(cfi_slot *slot, int64_t timeout_ns, uint64_t *word) {
    int64_t deadline_ns = cfi_deadline_ns(timeout_ns);
    bool ran;
    cf_status status = cfi_nested_run(slot, &ran);
    if (status == CF_OK && settles_soon(slot, word)) {
        return CF_OK;
    }
    while (cfi_slot_flag(slot, CFI_WAITED, word)) {
        if (status != CF_OK) {
            return status;
        }
        status = sleep_on(slot, *word, deadline_ns);
    }
    return CF_OK;
}

void cfi_future_ending(cfi_slot *slot, cf_exception *exception) {
    cf_executor *executor = cfi_executor_of(slot);
    uint64_t word = cfi_load_acquire(&slot->word);
    *exception = (cf_exception){
        .worker = cfi_word_attempts(word) > 0 ? (int)cfi_word_owner(word) : -1,
    };
    if (cfi_word_phase(word) == CFI_CANCELLED) {
        exception->status = CF_ECANCELLED;
        return;
    }
    if ((word & CFI_EXPIRED) != 0) { /* detail and outcome may still be written by its thread */
        const int64_t *limit = cfi_slot_limit(slot, executor->queue.base);
        exception->status = CF_EDEADLINE;
        exception->timeout_ns = limit != NULL ? *limit : 0;
        return;
    }
    exception->status = (word & CFI_BROKEN) != 0 ? CF_EBROKEN : (cf_status)slot->outcome;
    if (exception->status == CF_ETASK) {
        exception->task_error = slot->detail;
    } else if (exception->status == CF_EWORKER) {
        exception->signal = cfi_wait_status_signal(slot->detail);
        exception->exit_code = cfi_wait_status_exit_code(slot->detail);
    } else if (exception->status == CF_EBROKEN) {
        *exception = executor->why_broken;
    }
}

void cfi_future_seen(cfi_slot *slot) {
    if ((cfi_load_relaxed(&slot->refs) & CFI_SEEN) == 0 &&
        (cfi_or_relaxed(&slot->refs, CFI_SEEN) & CFI_SEEN) == 0) {
        cfi_add_relaxed(&cfi_executor_of(slot)->seen, 1);
    }
}

static bool is_foreign(const cf_future *future) {
    return !cfi_fork_mark_is_ours(cfi_executor_of(future)->fork_mark);
}

static inline cf_status wait_settled(cfi_slot *slot, int64_t timeout_ns, uint64_t *word) {
    *word = cfi_load_acquire(&slot->word);
    if (cfi_word_settled(*word)) {
        return CF_OK;
    }
    return timeout_ns == 0 ? CF_ETIMEDOUT : wait_longer(slot, timeout_ns, word);
}

/* Of a settled word: in the usual way, and there is nothing to tell but the result. */
static bool has_succeeded(const cfi_slot *slot, uint64_t word) {
    return (word & (CFI_PHASE_MASK | CFI_EXPIRED | CFI_BROKEN)) == CFI_FINISHED &&
           slot->outcome == CF_OK;
}

cf_status cf_future_exception(cf_future *future, int64_t timeout_ns, cf_exception *exception) {
    if (future == NULL || exception == NULL) {
        return CF_EINVAL;
    }
    if (is_foreign(future)) {
        return CF_EFORKED;
    }
    uint64_t word;
    cf_status status = wait_settled(future, timeout_ns, &word);
    if (status != CF_OK) {
        return status;
    }
    cfi_future_ending(future, exception);
    if (exception->status != CF_OK && exception->status != CF_ECANCELLED) {
        cfi_future_seen(future);
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
    if (is_foreign(future)) {
        return CF_EFORKED;
    }
    uint64_t word;
    cf_status status = wait_settled(future, timeout_ns, &word);
    if (status == CF_OK && !has_succeeded(future, word)) {
        cf_exception exception;
        status = cf_future_exception(future, 0, &exception);
        status = status == CF_OK ? exception.status : status;
    }
    if (status != CF_OK) {
        return status;
    }
    *size = (size_t)future->detail;
    *result = *size > 0 ? cfi_slot_result(future, cfi_executor_of(future)->queue.base) : NULL;
    return CF_OK;
}

cf_status cf_future_result(cf_future *future, int64_t timeout_ns, void *result) {
    const void *lies_at;
    size_t size;
    cf_status status = cf_future_view(future, timeout_ns, &lies_at, &size);
    if (status == CF_OK && result != NULL && size > 0) {
        cfi_copy(result, lies_at, size);
    }
    return status;
}

static cf_state state_of(uint64_t word) {
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
    return state_of(cfi_load_acquire(&future->word));
}

bool cf_future_running(const cf_future *future) {
    return cf_future_state(future) == CF_RUNNING;
}

bool cf_future_done(const cf_future *future) {
    return cfi_word_settled(cfi_load_acquire(&future->word));
}

/* The word is read once: it may change meanwhile. */
char *cf_future_describe(const cf_future *future, char *text, size_t size) {
    cfi_slot *slot = (cfi_slot *)future; /* only read */
    uint64_t word = cfi_load_acquire(&slot->word);
    cf_state state = state_of(word);
    const char *verb = "", *what = "";
    if (state == CF_FINISHED) {
        cf_exception exception;
        cfi_future_ending(slot, &exception);
        bool returned = exception.status == CF_OK;
        verb = returned ? " returned " : " raised ";
        what = returned ? cfi_executor_task_of(cfi_executor_of(slot), slot)->result_type
                        : cf_status_name(exception.status);
    }
    snprintf(text, size, "<Future at %p state=%s%s%s>", (const void *)future, cf_state_name(state),
             verb, what);
    return text;
}

bool cf_future_cancel(cf_future *future) {
    return future != NULL && !is_foreign(future) &&
           cfi_executor_cancel(cfi_executor_of(future), future);
}

cf_status cf_future_info(const cf_future *future, cf_info *info) {
    if (future == NULL || info == NULL) {
        return CF_EINVAL;
    }
    if (is_foreign(future)) {
        return CF_EFORKED;
    }
    uint64_t word = cfi_load_acquire(&future->word);
    *info = (cf_info){
        .state = state_of(word),
        .worker = cfi_word_attempts(word) > 0 ? (int)cfi_word_owner(word) : -1,
        .attempts = cfi_word_attempts(word),
    };
    cfi_times *times = cfi_times_of(&cfi_executor_of(future)->queue, future);
    if (times != NULL) {
        info->submitted_ns = cfi_load_relaxed(&times->submitted_ns);
        info->started_ns = cfi_load_relaxed(&times->started_ns);
        info->finished_ns = cfi_load_relaxed(&times->finished_ns);
    }
    return CF_OK;
}

cf_future *cf_future_retain(cf_future *future) {
    if (future != NULL && !is_foreign(future)) {
        cfi_slot_retain(future);
    }
    return future;
}

void cf_future_release(cf_future *future) {
    if (future != NULL && !is_foreign(future)) {
        cfi_slot_release(future);
    }
}
