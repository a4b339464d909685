/* The way of events from where they happen to the thread that tells an observer (core/observer.h).
 *
 *      worker           ring of its own, one writer and one reader:
 *                       write the entry      `written`   the entry is whole, and does not count yet
 *                       settle the task
 *                       publish it           `head`      the reader may take it
 *      caller's process a list under a lock: what submit, cancel, the deadline thread and the supervisor
 *                       have done
 *
 *   - An entry is published after the task is settled, so that one attempt has one end: if another
 *     thread has settled it, that thread notes the end. If a worker process dies between the two steps, its
 *     supervisor publishes what was written (cfi_events_adopt): the settled word says that it counts.
 *   - A ring that is full makes its worker wait for the reader.
 *   - The reader sleeps while nothing happens. `bell` is armed then, and the next event rings it. While
 *     much happens it looks every few milliseconds, and is rung only when a ring is half full.
 *   - A task may overwrite a ring that it shares. The reader takes no more than a ring holds. */
#ifndef CFUTURES_EVENTS_H
#define CFUTURES_EVENTS_H

#include "cfutures/queue/queue.h"

#include "platform/lock.h"
#include "platform/region.h"

#include <cfutures_observer.h>

typedef struct cfi_event {
    int64_t at_ns;
    int64_t submitted_ns;
    int64_t begun_ns;
    uint64_t task;  /* of workers: their id */
    uint64_t first; /* of a chunk: its first item, ... */
    uint32_t count; /* ... and how many; 0 = no chunk. LOST: how many are missing */
    int32_t detail; /* as in a slot; of workers: wait status */
    uint32_t attempt;
    uint16_t entry;   /* in the task table */
    uint8_t kind;     /* a cf_event_kind */
    uint8_t outcome;  /* a cf_status */
    int64_t limit_ns; /* EDEADLINE: the time that the run was given */
} cfi_event;

_Static_assert(sizeof(cfi_event) == 64, "an entry is one cache line");

typedef struct cfi_event_ring {
    _Alignas(PLAT_LINE_PAIR) _Atomic uint64_t written; /* the worker's */
    _Atomic uint64_t head;
    _Atomic uint32_t lives; /* the start of a life was told, and its end was not */
    _Alignas(PLAT_LINE_PAIR) _Atomic uint64_t tail; /* the reader's */
    _Alignas(PLAT_LINE_PAIR) cfi_event entries[];
} cfi_event_ring;

/* A note of the caller's process. */
typedef struct cfi_event_note {
    cfi_event event;
    int32_t worker;
} cfi_event_note;

typedef struct cfi_events {
    cf_observer observer;
    plat_region region;     /* the words below, then a ring for each worker */
    plat_event_count *bell; /* the reader sleeps on it */
    plat_event_count *room; /* workers whose ring is full sleep on it */
    char *rings;
    size_t ring_bytes;
    uint64_t entries; /* of a ring: a power of 2 */
    bool shared;
    plat_lock lock; /* the lowest one; for: */
    cfi_event_note *notes;
    size_t count, capacity;
    uint64_t lost;
} cfi_events;

/* NULL: no memory. */
cfi_events *cfi_events_create(const cf_observer *observer, unsigned workers, bool shared);
void cfi_events_destroy(cfi_events *events);

static inline bool cfi_events_want(const cfi_events *events, cf_event_kind kind) {
    return events != NULL && (events->observer.kinds & CF_EVENT_BIT(kind)) != 0;
}

static inline cfi_event_ring *cfi_events_ring(const cfi_events *events, unsigned worker) {
    return (cfi_event_ring *)(void *)(events->rings + worker * events->ring_bytes);
}

/* ---- a worker --------------------------------------------------------------------------------- */

/* The room for its next entry; waits for it. */
cfi_event *cfi_events_next(const cfi_events *events, unsigned worker);

/* The entry there is whole. It is not published if the worker forgets it. */
void cfi_events_written(const cfi_events *events, unsigned worker);
void cfi_events_forget(const cfi_events *events, unsigned worker);
void cfi_events_publish(const cfi_events *events, unsigned worker);

/* The start of a life. */
void cfi_events_tell_start(const cfi_events *events, unsigned worker, const cfi_event *event);

/* For a worker that is dead. Publishes what it has written, unless that is the end of a run that it has not
 * settled. */
void cfi_events_adopt(const cfi_events *events, unsigned worker, bool settled);

/* Once for each life whose start was told: its end is to be told. */
bool cfi_events_end_life(const cfi_events *events, unsigned worker);

/* ---- the caller's process ---------------------------------------------------------------------- */

void cfi_events_note(cfi_events *events, int worker, const cfi_event *event);

/* ---- the reader --------------------------------------------------------------------------------- */

/* How many entries of a worker's ring lie there from *first on, one after the other; there may be more at the ring's
 * beginning. They stay until they are taken. */
size_t cfi_events_look(const cfi_events *events, unsigned worker, const cfi_event **first);

/* The first `count` of those. */
void cfi_events_take(const cfi_events *events, unsigned worker, size_t count);

/* Takes all notes: the caller frees the list. *lost: how many are missing, which are forgotten. */
cfi_event_note *cfi_events_take_notes(cfi_events *events, size_t *count, uint64_t *lost);

#endif
