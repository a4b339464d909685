#include "cfutures/core/ending.h"

#include "platform/assert.h"
#include "platform/wait_status.h"

void cfi_ending_of(cfi_slot *slot, cf_exception *exception) {
    cf_executor *executor = cfi_executor_of(slot);
    uint64_t word = plat_load_acquire(&slot->word);
    cfi_assert(cfi_word_settled(word));
    *exception = (cf_exception){
        .worker = cfi_word_attempts(word) > 0 ? (int)cfi_word_owner(word) : -1,
    };
    if (cfi_word_phase(word) == CFI_CANCELLED) {
        exception->status = CF_ECANCELLED;
        return;
    }
    cfi_assert(cfi_word_attempts(word) > 0 || (word & CFI_BROKEN) != 0);
    cfi_assert((word & CFI_EXPIRED) == 0 || (word & CFI_BROKEN) == 0);
    if ((word & CFI_EXPIRED) != 0) { /* its thread may still write detail and outcome */
        const int64_t *limit = cfi_slot_limit(slot, executor->queue.base);
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
        cfi_assert(exception->status == CF_EBROKEN); /* the reason comes before the ending */
    }
}

void cfi_ending_observed(cfi_slot *slot) {
    cfi_assert(cfi_word_settled(plat_peek(&slot->word)));
    if ((plat_load_relaxed(&slot->refs) & CFI_OBSERVED) == 0 &&
        (plat_or_relaxed(&slot->refs, CFI_OBSERVED) & CFI_OBSERVED) == 0) {
        plat_add_relaxed(&cfi_executor_of(slot)->counts.observed, 1);
    }
}
