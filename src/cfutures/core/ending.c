#include "cfutures/core/ending.h"

#include "cfutures/core/damage.h"

#include "platform/assert.h"
#include "platform/wait_status.h"

/* True if the fields fit each other, and what the caller knows of the task. */
static bool is_sound(const cf_future *future, const cfi_slot *slot, uint64_t word) {
    if (!cfi_word_settled(word) || !cfi_word_is_sound(word)) {
        return false;
    }
    if (cfi_word_phase(word) == CFI_CANCELLED || (word & (CFI_EXPIRED | CFI_BROKEN)) != 0) {
        return true;
    }
    size_t size;
    return cfi_word_attempts(word) > 0 &&
           (cfi_ending_is_success(future, word, &size) || slot->outcome == CF_ETASK ||
            slot->outcome == CF_EWORKER || slot->outcome == CF_EBROKEN);
}

void cfi_ending_of(cf_future *future, cf_exception *exception) {
    cf_executor *executor = cfi_executor_of(future);
    const cfi_slot *slot = cfi_slot_of(future);
    uint64_t word = plat_load_acquire(&slot->word);
    cfi_assert(cfi_word_is_over(word));
    if (!is_sound(future, slot, word)) {
        cfi_damage_note(executor);
        *exception = (cf_exception){.status = CF_EBROKEN, .worker = -1};
        return;
    }
    *exception = (cf_exception){
        .worker = cfi_word_attempts(word) > 0 ? (int)cfi_word_owner(word) : -1,
    };
    if (cfi_word_phase(word) == CFI_CANCELLED) {
        exception->status = CF_ECANCELLED;
        return;
    }
    if ((word & CFI_EXPIRED) != 0) { /* its thread may still write detail and outcome */
        const int64_t *limit = cfi_future_limit(future, executor->queue.base);
        exception->status = CF_EDEADLINE;
        exception->timeout_ns = limit != NULL ? *limit : 0;
        return;
    }
    exception->status = (word & CFI_BROKEN) != 0 ? CF_EBROKEN : (cf_status)slot->outcome;
    if (exception->status == CF_ETASK) {
        exception->task_error = slot->detail;
    } else if (exception->status == CF_EWORKER) {
        exception->signal = plat_wait_status_signal(slot->detail);
        exception->exit_code = plat_wait_status_exit_code(slot->detail);
    } else if (exception->status == CF_EBROKEN) {
        *exception = executor->why_broken;
        exception->status = CF_EBROKEN;
    }
}

void cfi_ending_observed(cf_future *future) {
    if ((plat_load_relaxed(&future->refs) & CFI_OBSERVED) == 0 &&
        (plat_or_relaxed(&future->refs, CFI_OBSERVED) & CFI_OBSERVED) == 0) {
        plat_add_relaxed(&cfi_executor_of(future)->counts.observed, 1);
    }
}
