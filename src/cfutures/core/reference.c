#include "cfutures/core/reference.h"

#include "platform/assert.h"

/* A slot without references can only be retained while its slab is pinned (as_completed.c). It is
 * then in use again. */
void cfi_slot_retain(cfi_slot *slot) {
    uint32_t before = plat_add_relaxed(&slot->refs, 1) & ~CFI_OBSERVED;
    cfi_assert(before < CFI_OBSERVED / 2); /* not below 0 */
    if (before == 0) {
        cfi_assert(plat_peek(&cfi_slab_of(slot)->was_pinned) != 0 && !cfi_slot_has_block(slot));
        cfi_slab_pin(cfi_slab_of(slot));
    }
}

/* All slots of this slot's slab are given up. */
static void retire(cf_executor *executor, cfi_slot *slot) {
    cfi_slabs_retire(&executor->slabs, cfi_slab_of(slot));
}

/* The last reference to a slot with a block is gone. */
static void forget(cf_executor *executor, cfi_slot *slot) {
    cfi_slabs_defer(&executor->slabs, slot);
}

static inline void under_lock(cf_executor *executor, cfi_slot *slot,
                              void (*give_back)(cf_executor *executor, cfi_slot *slot)) {
    cfi_assert(!plat_biased_lock_is_held(&executor->lock));
    cfi_assert(cfi_executor_of(slot) == executor);
    plat_biased_lock_take(&executor->lock);
    give_back(executor, slot);
    bool over = cfi_executor_is_over(executor);
    plat_biased_lock_give(&executor->lock);
    if (over) {
        executor->ops->free(executor);
    }
}

/* ---- slots given up -------------------------------------------------------------------------- */

static void count_given_up(cfi_slab *slab, uint32_t count) {
    if (cfi_slab_is_given_up(slab, count)) {
        under_lock(slab->executor, cfi_slab_slot(slab, 0), retire);
    }
}

bool cfi_release_batch_end(cf_executor *executor) {
    cfi_release_batch batch = executor->release_batch;
    cfi_assert(plat_biased_lock_is_held(&executor->lock));
    cfi_assert(batch.slab == NULL || (batch.count > 0 && batch.count < CFI_SLAB_SLOTS));
    executor->release_batch = (cfi_release_batch){0};
    bool last = batch.slab != NULL && cfi_slab_is_given_up(batch.slab, batch.count);
    if (last) {
        cfi_slabs_retire(&executor->slabs, batch.slab);
    }
    return last;
}

/* Under the lock. */
static void add_to_release_batch(cf_executor *executor, cfi_slot *slot) {
    cfi_slab *slab = cfi_slab_of(slot);
    cfi_assert(plat_biased_lock_is_held(&executor->lock));
    if (executor->release_batch.slab != slab) {
        cfi_release_batch_end(executor);
        executor->release_batch.slab = slab;
    }
    if (++executor->release_batch.count == CFI_SLAB_SLOTS - 1 || executor->destroyed) {
        cfi_release_batch_end(executor);
    }
}

/* The owner of the executor's lock, mostly the submitter, counts the slots that it gives up in a
 * batch together: a locked instruction for each costs more than to take that lock. */
static void give_up(cfi_slot *slot) {
    cfi_slab *slab = cfi_slab_of(slot);
    cfi_slab_note_released(slab, slot);
    if (plat_biased_lock_is_mine(&slab->executor->lock)) {
        under_lock(slab->executor, slot, add_to_release_batch);
    } else {
        count_given_up(slab, 1);
    }
}

void cfi_slot_release(cfi_slot *slot) {
    /* Last reference: a plain store is enough, since no other thread can retain. The exception is a
     * thread that has the future from a cf_as_completed: this keeps futures by a pin, not by
     * references. Its futures are released after it began, so the pin is seen here. */
    uint32_t refs = plat_load_acquire(&slot->refs);
    cfi_assert((refs & ~CFI_OBSERVED) > 0);
    if ((refs & ~CFI_OBSERVED) == 1 && plat_load_relaxed(&cfi_slab_of(slot)->was_pinned) == 0) {
        plat_store_relaxed(&slot->refs, refs - 1);
    } else if ((plat_sub_acq_rel(&slot->refs, 1) & ~CFI_OBSERVED) > 1) {
        return;
    }
    if (cfi_slot_has_block(slot)) {
        under_lock(cfi_executor_of(slot), slot, forget);
    } else {
        give_up(slot);
    }
}

void cfi_slab_unpin(cfi_slab *slab) {
    count_given_up(slab, 1);
}
