/* References to a future, and what goes with the last one: its slot, its slab, a destroyed executor.
 *
 *   - The caller's handle is a reference; so are each watch, and the entry in the completion stack.
 *   - With the last reference the slot is given up, and its slab counts it.
 *   - A slab whose slots are all given up can be used again.
 *   - A slot with a block gives the block back first (queue/slab.h). */
#ifndef CFUTURES_REFERENCE_H
#define CFUTURES_REFERENCE_H

#include "cfutures/core/executor.h"

/* Any thread of the caller's process, holding at most drain_lock and locks above it
 * (core/executor.h). release may free a destroyed executor. */
void cfi_future_retain(cf_future *future);
void cfi_future_release(cf_future *future);

/* Undoes cfi_slab_pin. May free a destroyed executor too. */
void cfi_slab_unpin(cf_executor *executor, cfi_slab *slab);

/* Counts the executor's release batch. Under the lock. True if a slab became free by that. */
bool cfi_release_batch_end(cf_executor *executor);

#endif
