/* An event count: threads sleep on it until another thread makes what they look for.
 *
 *      sleeper                                       ringer
 *      seen = plat_event_listen(event)                makes what the sleeper looks for
 *      looks again; if it is there, goes on          plat_event_ring(event)
 *      plat_event_sleep(event, seen, deadline)
 *
 *   - No lost wake-up: listen sets `armed` before the sleeper looks again; ring reads `armed` after
 *     the thing is made. With a barrier on both sides, one sees the other.
 *   - Two pairs of barriers. Where the ringer makes the thing by a locked instruction, both sides
 *     are seq_cst: listen and ring. Where it makes it by a plain store, and often, the ringer's
 *     barrier is light and the sleeper's heavy (platform/barrier.h): listen_heavy and ring_light.
 *   - The first ringer clears `armed`, advances `rung` and wakes every sleeper. A sleeper arms again
 *     before it sleeps again. So a ring without sleepers costs a load.
 *   - A ringer may die, or be stopped, between clearing `armed` and waking. Then no other ringer
 *     wakes the sleepers. So the process that sees the death or the stop calls ring_always.
 *   - A wake-up may be for another sleeper's thing: a sleeper looks again.
 *
 * A thread that has another way to know that it must be rung (core/deadline.h) takes `seen` by
 * plat_event_seen, and its ringers call ring_always. `shared`: the words lie in memory that other
 * processes share. */
#ifndef PLATFORM_EVENT_COUNT_H
#define PLATFORM_EVENT_COUNT_H

#include "platform/atomic.h"
#include "platform/barrier.h"
#include "platform/futex.h"

typedef struct plat_event_count {
    _Atomic uint32_t armed; /* a thread may sleep, or is about to */
    _Atomic uint32_t rung;  /* futex: how often it was rung */
} plat_event_count;

/* ---- the sleeper ----------------------------------------------------------------------------- */

static inline uint32_t plat_event_seen(plat_event_count *event) {
    return plat_load_seq_cst(&event->rung);
}

static inline uint32_t plat_event_listen(plat_event_count *event) {
    uint32_t seen = plat_event_seen(event);
    plat_store_seq_cst(&event->armed, 1);
    return seen;
}

static inline uint32_t plat_event_listen_heavy(plat_event_count *event, bool shared) {
    uint32_t seen = plat_event_seen(event);
    plat_store_relaxed(&event->armed, 1);
    plat_barrier_heavy(shared); /* armed is written before the sleeper looks again */
    return seen;
}

/* The sleeper has found what it looked for, and no other thread sleeps here. */
static inline void plat_event_disarm(plat_event_count *event) {
    plat_store_relaxed(&event->armed, 0);
}

/* Until it is rung, or was since `seen`. False when the deadline has passed (negative = never). */
static inline bool plat_event_sleep(plat_event_count *event, uint32_t seen, int64_t deadline_ns,
                                    bool shared) {
    return plat_futex_wait(&event->rung, seen, deadline_ns, shared);
}

/* ---- the ringer ------------------------------------------------------------------------------ */

static inline void plat_event_ring_always(plat_event_count *event, bool shared) {
    plat_add_seq_cst(&event->rung, 1);
    plat_futex_wake_all(&event->rung, shared);
}

static inline void plat_event_ring_if_armed(plat_event_count *event, uint32_t armed, bool shared) {
    if (armed != 0 && plat_swap_seq_cst(&event->armed, 0) != 0) {
        plat_event_ring_always(event, shared);
    }
}

static inline void plat_event_ring(plat_event_count *event, bool shared) {
    plat_event_ring_if_armed(event, plat_load_seq_cst(&event->armed), shared);
}

static inline void plat_event_ring_light(plat_event_count *event, bool shared) {
    plat_barrier_light(); /* the thing is written before armed is read */
    plat_event_ring_if_armed(event, plat_load_relaxed(&event->armed), shared);
}

#endif
