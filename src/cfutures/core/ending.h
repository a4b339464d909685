/* How a task ended. */
#ifndef CFUTURES_ENDING_H
#define CFUTURES_ENDING_H

#include "cfutures/core/executor.h"

/* The task must be over. If a task has overwritten what the slot says, the answer is CF_EBROKEN, and
 * the pool breaks. */
void cfi_ending_of(cf_future *future, cf_exception *exception);

/* The task has succeeded, as `word` and its slot say, which fit what the caller knows. *size: bytes of
 * the result, read once and then checked. (The thread of a run over its time may still write.) */
static inline bool cfi_ending_is_success(const cf_future *future, uint64_t word, size_t *size) {
    const cfi_slot *slot = cfi_slot_of(future);
    if ((word & (CFI_PHASE_MASK | CFI_EXPIRED | CFI_BROKEN)) != CFI_FINISHED) {
        return false;
    }
    *size = (uint32_t)slot->detail;
    return slot->outcome == CF_OK && *size <= cfi_future_result_size(future) &&
           cfi_future_fits(future);
}

/* A caller was told how the task failed: counts that once (cf_stats.unseen). The caller holds a
 * reference. */
void cfi_ending_observed(cf_future *future);

#endif
