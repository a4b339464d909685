/* How a task ended, for those who report it themselves. */
#ifndef CFUTURES_ENDING_H
#define CFUTURES_ENDING_H

#include "cfutures/core/executor.h"

/* The slot is settled. */
void cfi_future_ending(cfi_slot *slot, cf_exception *exception);

/* Somebody is told how it failed (cf_stats.unseen). The caller holds a reference. */
void cfi_future_seen(cfi_slot *slot);

#endif
