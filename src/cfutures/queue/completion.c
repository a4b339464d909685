#include "cfutures/queue/completion.h"

#include "platform/assert.h"
#include "platform/fault.h"
#include "platform/futex.h"

static void push(cfi_queue *queue, cfi_slot *slot) {
    cfi_assert(cfi_word_settled(plat_peek(&slot->word)));
    _Atomic uint32_t *done = &queue->control->done;
    uint32_t first = plat_load_relaxed(done);
    do {
        slot->next_done = first;
        plat_fault_point(ANNOUNCE_LINKED);
    } while (!plat_cas(done, &first, cfi_queue_index(queue, slot) + 1));
}

void cfi_completion_announce(cfi_queue *queue, cfi_slot *slot, uint64_t replaced) {
    cfi_assert(!cfi_word_settled(replaced));
    if ((replaced & CFI_WAITED) != 0) {
        plat_fault_point(ANNOUNCE_WAITED);
        plat_futex_wake_all(&slot->futex, queue->shared);
        if (!queue->shared) { /* no task of a process waits for another of its pool */
            plat_event_ring_light(&queue->control->help, false);
        }
    }
    if ((replaced & CFI_WATCHED) != 0) {
        push(queue, slot);
        plat_fault_point(ANNOUNCE_PUSHED);
        plat_event_ring(&queue->bell->event, true);
        plat_fault_point(ANNOUNCE_RUNG);
        plat_event_ring(&queue->control->callbacks, queue->shared);
    }
}

bool cfi_completion_any(const cfi_queue *queue) {
    return plat_load_seq_cst(&queue->control->done) != 0;
}

uint32_t cfi_completion_take(cfi_queue *queue) {
    return plat_swap_seq_cst(&queue->control->done, 0);
}
