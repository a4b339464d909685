#include "cfutures/core/reference.h"

#include "platform/assert.h"

/* A future without references can only be retained while its slab is pinned (as_completed.c). It is
 * then in use again. */
void cfi_future_retain(cf_future *future) {
    uint32_t before = plat_add_relaxed(&future->refs, 1) & ~CFI_OBSERVED;
    cfi_assert(before < CFI_OBSERVED / 2); /* not below 0 */
    if (before == 0) {
        cfi_assert(plat_peek(&cfi_slab_of(future)->was_pinned) != 0 &&
                   !cfi_future_has_block(future));
        cfi_slab_pin(cfi_slab_of(future));
    }
}

static inline void under_lock(cf_executor *executor, void *thing,
                              void (*give_back)(cf_executor *executor, void *thing)) {
    cfi_assert(!plat_biased_lock_is_held(&executor->lock));
    plat_biased_lock_take(&executor->lock);
    give_back(executor, thing);
    bool over = cfi_executor_is_over(executor);
    plat_biased_lock_give(&executor->lock);
    if (over) {
        executor->ops->free(executor);
    }
}

/* All slots of the slab are given up. */
static void retire(cf_executor *executor, void *slab) {
    cfi_slabs_retire(&executor->slabs, slab);
}

/* The last reference to a future with a block is gone. */
static void forget(cf_executor *executor, void *future) {
    cfi_slabs_defer(&executor->slabs, future);
}

/* ---- slots given up -------------------------------------------------------------------------- */

static void count_given_up(cf_executor *executor, cfi_slab *slab, uint32_t count) {
    if (cfi_slab_is_given_up(slab, count)) {
        under_lock(executor, slab, retire);
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
static void add_to_release_batch(cf_executor *executor, void *given_up_in) {
    cfi_slab *slab = given_up_in;
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
static void give_up(cf_future *future) {
    cfi_slab *slab = cfi_slab_of(future);
    cf_executor *executor = cfi_executor_of(future);
    cfi_slab_note_released(slab, future);
    if (plat_biased_lock_is_mine(&executor->lock)) {
        under_lock(executor, slab, add_to_release_batch);
    } else {
        count_given_up(executor, slab, 1);
    }
}

void cfi_future_release(cf_future *future) {
    /* Last reference: a plain store is enough, since no other thread can retain. The exception is a
     * thread that has the future from a cf_as_completed: this keeps futures by a pin, not by
     * references. Its futures are released after it began, so the pin is seen here. */
    uint32_t refs = plat_load_acquire(&future->refs);
    cfi_assert((refs & ~CFI_OBSERVED) > 0);
    if ((refs & ~CFI_OBSERVED) == 1 && plat_load_relaxed(&cfi_slab_of(future)->was_pinned) == 0) {
        plat_store_relaxed(&future->refs, refs - 1);
    } else if ((plat_sub_acq_rel(&future->refs, 1) & ~CFI_OBSERVED) > 1) {
        return;
    }
    if (cfi_future_has_block(future)) {
        under_lock(cfi_executor_of(future), future, forget);
    } else {
        give_up(future);
    }
}

void cfi_slab_unpin(cf_executor *executor, cfi_slab *slab) {
    count_given_up(executor, slab, 1);
}
