/* Who holds a slot, and what goes with the last holder: the slot, its slab, a destroyed executor.
 */
#include "cfutures/executor.h"

void cfi_slot_retain(cfi_slot *slot) {
    cfi_add_relaxed(&slot->refs, 1);
}

bool cfi_executor_is_over(const cf_executor *executor) {
    return executor->destroyed && executor->slabs.in_use == 0;
}

static void retire(cf_executor *executor, cfi_slab *slab) {
    cfi_lock_take(&executor->lock);
    cfi_slabs_retire(&executor->slabs, slab);
    bool over = cfi_executor_is_over(executor);
    cfi_lock_give(&executor->lock);
    if (over) {
        executor->ops->free(executor);
    }
}

void cfi_slot_release(cfi_slot *slot) {
    if ((cfi_sub_acq_rel(&slot->refs, 1) & ~CFI_SEEN) > 1) {
        return;
    }
    cf_executor *executor = cfi_executor_of(slot);
    if (cfi_slot_has_block(slot) && cfi_word_left(cfi_load_acquire(&slot->word))) {
        cfi_lock_take(&executor->lock);
        cfi_slabs_give_block(&executor->slabs, slot);
        cfi_lock_give(&executor->lock);
    }
    if (cfi_slab_give_up(slot)) {
        retire(executor, cfi_slab_of(slot));
    }
}
