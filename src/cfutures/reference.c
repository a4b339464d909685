/* Who holds a slot, and what goes with the last holder: the slot, its slab, a destroyed executor.
 */
#include "cfutures/executor.h"

/* One that was given up while its slab is pinned is taken back into use. */
void cfi_slot_retain(cfi_slot *slot) {
    if ((cfi_add_relaxed(&slot->refs, 1) & ~CFI_SEEN) == 0) {
        cfi_slab_pin(cfi_slab_of(slot));
    }
}

bool cfi_executor_is_over(const cf_executor *executor) {
    return executor->destroyed && executor->slabs.in_use == 0;
}

/* The last reference to a slot that has no block is gone, as that to the rest of its slab. */
static void retire(cf_executor *executor, cfi_slot *slot) {
    cfi_slabs_retire(&executor->slabs, cfi_slab_of(slot));
}

static void forget(cf_executor *executor, cfi_slot *slot) {
    cfi_slabs_forget(&executor->slabs, slot);
}

static void under_lock(cf_executor *executor, cfi_slot *slot,
                       void (*give_back)(cf_executor *executor, cfi_slot *slot)) {
    cfi_biased_lock_take(&executor->lock);
    give_back(executor, slot);
    bool over = cfi_executor_is_over(executor);
    cfi_biased_lock_give(&executor->lock);
    if (over) {
        executor->ops->free(executor);
    }
}

void cfi_slot_release(cfi_slot *slot) {
    /* Whoever has the only reference need not count down by a locked instruction: there is nobody to
     * take another one. */
    uint32_t refs = cfi_load_acquire(&slot->refs);
    if ((refs & ~CFI_SEEN) == 1) {
        cfi_store_relaxed(&slot->refs, refs - 1);
    } else if ((cfi_sub_acq_rel(&slot->refs, 1) & ~CFI_SEEN) > 1) {
        return;
    }
    if (cfi_slot_has_block(slot)) {
        under_lock(cfi_executor_of(slot), slot, forget);
    } else if (cfi_slab_give_up(slot)) {
        under_lock(cfi_executor_of(slot), slot, retire);
    }
}

void cfi_slab_unpin(cfi_slab *slab) {
    if (cfi_slab_is_given_up(slab, 1)) {
        under_lock(slab->executor, cfi_slab_slot(slab, 0), retire);
    }
}
