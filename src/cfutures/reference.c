/* Who holds a slot, and what goes with the last holder: the slot, its slab, a destroyed executor.
 */
#include "cfutures/executor.h"

#include "platform/thread_exit.h"

/* One that was given up while its slab is pinned is taken back into use. */
void cfi_slot_retain(cfi_slot *slot) {
    if ((cfi_add_relaxed(&slot->refs, 1) & ~CFI_SEEN) == 0) {
        cfi_slab_pin(cfi_slab_of(slot));
    }
}

bool cfi_executor_is_over(const cf_executor *executor) {
    return cfi_load_relaxed(&executor->destroyed) && executor->slabs.in_use == 0;
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

/* ---- slots given up --------------------------------------------------------------------------- */

/* Slots without a block that this thread has given up in a row, all of one slab, and that are not
 * counted there yet: a locked instruction for each would be a fifth of what a task costs its caller.
 * They are counted when the thread gives up one of another slab, destroys an executor or ends. Until
 * then the slab is only not used again, and a destroyed executor not freed. */
typedef struct row {
    cfi_slab *slab; /* NULL = none */
    uint32_t count;
} row;

static _Thread_local row current_row __attribute__((tls_model("initial-exec")));

static void count_given_up(cfi_slab *slab, uint32_t count) {
    if (cfi_slab_is_given_up(slab, count)) {
        under_lock(slab->executor, cfi_slab_slot(slab, 0), retire);
    }
}

void cfi_references_settle(void) {
    row ended = current_row;
    current_row = (row){0};
    if (ended.slab != NULL) {
        count_given_up(ended.slab, ended.count);
    }
}

void cfi_references_forget(void) {
    current_row = (row){0};
}

static void begin_row(cfi_slab *slab) {
    cfi_references_settle();
    if (!cfi_load_relaxed(&slab->executor->destroyed) &&
        cfi_at_thread_exit(cfi_references_settle)) {
        current_row = (row){slab, 1};
    } else {
        count_given_up(slab, 1);
    }
}

static void give_up(cfi_slot *slot) {
    cfi_slab *slab = cfi_slab_of(slot);
    cfi_slab_note_early(slab, slot);
    if (current_row.slab != slab) {
        begin_row(slab);
    } else if (++current_row.count == CFI_SLAB_SLOTS - 1) {
        cfi_references_settle();
    }
}

void cfi_slot_release(cfi_slot *slot) {
    /* Whoever has the only reference need not count down by a locked instruction: there is nobody to
     * take another one, unless he has it from an iteration, which keeps its futures by a pin. Whoever
     * releases a future that one has does so after that began, and sees that the slab was pinned. */
    uint32_t refs = cfi_load_acquire(&slot->refs);
    if ((refs & ~CFI_SEEN) == 1 && cfi_load_relaxed(&cfi_slab_of(slot)->was_pinned) == 0) {
        cfi_store_relaxed(&slot->refs, refs - 1);
    } else if ((cfi_sub_acq_rel(&slot->refs, 1) & ~CFI_SEEN) > 1) {
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
