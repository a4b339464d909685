/* When each task was submitted, begun and done, if cf_pool_options.record_times asks for it. The
 * times lie beside the slab, not in the slot: most callers do not read them, and three readings of
 * the clock cost more than the rest of a small task. */
#ifndef CFUTURES_TIMES_H
#define CFUTURES_TIMES_H

#include "cfutures/queue/slab.h"

#include "platform/clock.h"

/* The caller's side. NULL: the executor records none. */
static inline cfi_times *cfi_times_of(const cfi_queue *queue, const cf_future *future) {
    const uint64_t block = cfi_slab_of(future)->times;
    if (block == 0) {
        return NULL;
    }
    return (cfi_times *)(void *)(queue->base + block) + cfi_future_number(future);
}

/* The worker's side: the place of the slab's first slot says where they are. */
static inline cfi_times *cfi_times_at(const cfi_queue *queue, const cfi_slot *slot) {
    if ((slot->kind & CFI_TIMED) == 0) {
        return NULL;
    }
    const cfi_slot *first = (const cfi_slot *)((uintptr_t)slot & ~(uintptr_t)(CFI_SLAB_BYTES - 1));
    cfi_assert(first->block != 0 && cfi_queue_holds(queue, first->block));
    cfi_times *times = (cfi_times *)(void *)(queue->base + first->block);
    return &times[slot - first];
}

/* number: of the task, as the executor counts those that are submitted. */
static inline void cfi_times_stamp_submit(const cfi_queue *queue, const cf_future *future,
                                          uint64_t number) {
    cfi_times *times = cfi_times_of(queue, future);
    if (times != NULL) {
        plat_store_relaxed(&times->number, number);
        plat_store_relaxed(&times->submitted_ns, plat_now_ns());
        plat_store_relaxed(&times->started_ns, 0);
        plat_store_relaxed(&times->finished_ns, 0);
    }
}

/* True: its times are recorded. */
static inline bool cfi_times_stamp_start(const cfi_queue *queue, const cfi_slot *slot) {
    cfi_times *times = cfi_times_at(queue, slot);
    if (times == NULL) {
        return false;
    }
    cfi_assert(plat_peek(&times->submitted_ns) != 0);
    plat_store_relaxed(&times->started_ns, plat_now_ns());
    return true;
}

/* Before the task is pending again: a worker may die before it stamps the next start. */
static inline void cfi_times_forget_start(cfi_times *times) {
    if (times != NULL) {
        plat_store_relaxed(&times->started_ns, 0);
    }
}

static inline void cfi_times_stamp_finish(cfi_times *times) {
    if (times != NULL) {
        plat_store_relaxed(&times->finished_ns, plat_now_ns());
    }
}

#endif
