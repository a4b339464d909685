/* Who holds a slot, and what goes with its last holder: the slot, its slab, a destroyed executor.
 *
 * The caller's handle holds a slot, and so does each watch and the completion stack. When the last
 * of them lets go, the slot is given up and its slab counts it; a slab whose slots are all given up
 * can be used again. A slot with a block gives that back first (queue/slab.h). */
#ifndef CFUTURES_REFERENCE_H
#define CFUTURES_REFERENCE_H

#include "cfutures/core/executor.h"

/* Any thread of the caller's process, with no lock of ours held but reap_lock. release may free a
 * destroyed executor. */
void cfi_slot_retain(cfi_slot *slot);
void cfi_slot_release(cfi_slot *slot);

/* Undoes cfi_slab_pin, and may free a destroyed executor too. */
void cfi_slab_unpin(cfi_slab *slab);

/* Counts the executor's row. Under the lock. True when a slab became free by that. */
bool cfi_row_end(cf_executor *executor);

#endif
