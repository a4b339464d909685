/* How a task ended. */
#ifndef CFUTURES_ENDING_H
#define CFUTURES_ENDING_H

#include "cfutures/core/executor.h"

/* The slot must be settled. */
void cfi_ending_of(cfi_slot *slot, cf_exception *exception);

/* A caller was told how the task failed: counts that once (cf_stats.unseen). The caller holds a
 * reference. */
void cfi_ending_observed(cfi_slot *slot);

#endif
