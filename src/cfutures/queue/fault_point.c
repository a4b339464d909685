#include "cfutures/queue/fault_point.h"

#ifdef CFI_FAULT_POINTS

/* The ticket of a slot, by the directory: that of the latest tickets first. 0: it is not there. */
static uint64_t ticket_of(const cfi_queue *queue, uint32_t index) {
    const uint32_t in_slab = index % CFI_SLAB_SLOTS; /* slabs lie at multiples of their size */
    const uint64_t slabs =
        (plat_load_acquire(&queue->control->tail) + CFI_SLAB_SLOTS - 1) / CFI_SLAB_SLOTS;
    for (uint64_t i = 0; i < slabs && i < CFI_SLABS_QUEUED_MAX; i++) {
        uint64_t slab = slabs - 1 - i;
        if (plat_load_relaxed(&queue->directory[slab % CFI_SLABS_QUEUED_MAX]) == index - in_slab) {
            return slab * CFI_SLAB_SLOTS + in_slab;
        }
    }
    return 0;
}

/* The first slot of each slab is no task. */
static uint64_t number_of(uint64_t ticket) {
    return ticket - ticket / CFI_SLAB_SLOTS;
}

static plat_fault_task task_of(const cfi_queue *queue, unsigned worker) {
    uint32_t current = plat_load_relaxed(&queue->records[worker].current);
    if (current == 0) {
        return (plat_fault_task){0};
    }
    uint64_t word = plat_load_relaxed(&cfi_queue_slot(queue, current - 1)->word);
    return (plat_fault_task){
        .number = number_of(ticket_of(queue, current - 1)),
        .attempt = cfi_word_attempts(word) + (cfi_word_phase(word) == CFI_PENDING),
    };
}

void cfi_fault_pass(const cfi_queue *queue, unsigned worker, plat_fault_id point) {
    cfi_assert(worker < CF_WORKERS_MAX);
    plat_fault_pass(point,
                    plat_fault_asks_for_task() ? task_of(queue, worker) : (plat_fault_task){0});
}

#else

typedef int cfi_no_fault_points; /* a source must hold something */

#endif
