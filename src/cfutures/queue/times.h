/* When each task was submitted, begun and done, if cf_pool_options.record_times asks for it. The
 * times lie beside the slab, not in the slot: most callers do not read them, and three readings of
 * the clock cost more than the rest of a small task. */
#ifndef CFUTURES_TIMES_H
#define CFUTURES_TIMES_H

#include "cfutures/queue/slab.h"

#include "platform/clock.h"

/* NULL: the executor records none. */
static inline cfi_times *cfi_times_of(const cfi_queue *queue, const cfi_slot *slot) {
    if ((slot->kind & CFI_TIMED) == 0) {
        return NULL;
    }
    const cfi_slab *slab = cfi_slab_of(slot);
    cfi_assert(slab->times != 0 && cfi_queue_holds(queue, slab->times));
    cfi_times *times = (cfi_times *)(void *)(queue->base + slab->times);
    return &times[slot - (const cfi_slot *)(const void *)slab];
}

static inline void cfi_times_stamp_submit(const cfi_queue *queue, const cfi_slot *slot) {
    cfi_times *times = cfi_times_of(queue, slot);
    if (times != NULL) {
        plat_store_relaxed(&times->submitted_ns, plat_now_ns());
        plat_store_relaxed(&times->started_ns, 0);
        plat_store_relaxed(&times->finished_ns, 0);
    }
}

static inline void cfi_times_stamp_start(const cfi_queue *queue, const cfi_slot *slot) {
    cfi_times *times = cfi_times_of(queue, slot);
    if (times != NULL) {
        cfi_assert(plat_peek(&times->submitted_ns) != 0);
        plat_store_relaxed(&times->started_ns, plat_now_ns());
    }
}

static inline void cfi_times_stamp_finish(const cfi_queue *queue, const cfi_slot *slot) {
    cfi_times *times = cfi_times_of(queue, slot);
    if (times != NULL) {
        cfi_assert(plat_peek(&times->submitted_ns) != 0);
        plat_store_relaxed(&times->finished_ns, plat_now_ns());
    }
}

#endif
