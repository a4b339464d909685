#include "cfutures/queue/events.h"

#include "platform/assert.h"
#include "platform/clock.h"
#include "platform/refusal.h"

#include <stdlib.h>
#include <string.h>

enum {
    RINGS_BYTES = 8 << 20, /* all together, about */
    RING_MOST = 16384,     /* entries: half of it is 0.4 ms of tasks that take 50 ns */
    RING_LEAST = 128,
    WORDS_BYTES = 2 * PLAT_LINE_PAIR,
};

#define WAIT_NS INT64_C(10000000) /* for room, before a worker looks again */

/* ---- life ------------------------------------------------------------------------------------ */

static uint64_t entries_for(unsigned workers) {
    uint64_t entries = RING_MOST;
    while (entries > RING_LEAST && entries * sizeof(cfi_event) * workers > RINGS_BYTES) {
        entries /= 2;
    }
    return entries;
}

static bool make_region(cfi_events *self, unsigned workers) {
    size_t size = WORDS_BYTES + workers * self->ring_bytes;
    size = (size + PLAT_REGION_ALIGNMENT - 1) / PLAT_REGION_ALIGNMENT * PLAT_REGION_ALIGNMENT;
    if (!plat_region_reserve(&self->region, size, size, self->shared)) {
        return false;
    }
    if (!plat_region_commit(&self->region, 0, size)) {
        plat_region_release(&self->region);
        return false;
    }
    self->bell = (void *)self->region.base;
    self->room = (void *)(self->region.base + PLAT_LINE_PAIR);
    self->rings = self->region.base + WORDS_BYTES;
    return true;
}

cfi_events *cfi_events_create(const cf_observer *observer, unsigned workers, bool shared) {
    cfi_assert(observer->observe != NULL && workers > 0);
    cfi_events *self = plat_noted(calloc(1, sizeof *self));
    if (self == NULL) {
        return NULL;
    }
    self->observer = *observer;
    self->shared = shared;
    self->entries = entries_for(workers);
    self->ring_bytes = sizeof(cfi_event_ring) + self->entries * sizeof(cfi_event);
    if (!make_region(self, workers)) {
        free(self);
        return NULL;
    }
    plat_lock_init(&self->lock);
    return self;
}

void cfi_events_destroy(cfi_events *events) {
    if (events == NULL) {
        return;
    }
    cfi_assert(events->count == 0); /* all were told */
    plat_lock_destroy(&events->lock);
    plat_region_release(&events->region);
    free(events->notes);
    free(events);
}

/* ---- a worker -------------------------------------------------------------------------------- */

static bool has_room(const cfi_events *self, cfi_event_ring *ring) {
    return plat_load_relaxed(&ring->head) - plat_load_seq_cst(&ring->tail) < self->entries;
}

static __attribute__((noinline)) void await_room(const cfi_events *self, cfi_event_ring *ring) {
    for (;;) {
        const uint32_t seen = plat_event_listen(self->room);
        if (has_room(self, ring)) {
            return;
        }
        plat_event_ring_always(self->bell, self->shared);
        plat_event_sleep(self->room, seen, plat_now_ns() + WAIT_NS, self->shared);
    }
}

cfi_event *cfi_events_next(const cfi_events *events, unsigned worker) {
    cfi_event_ring *ring = cfi_events_ring(events, worker);
    if (!has_room(events, ring)) {
        await_room(events, ring);
    }
    return &ring->entries[plat_load_relaxed(&ring->head) & (events->entries - 1)];
}

void cfi_events_written(const cfi_events *events, unsigned worker) {
    cfi_event_ring *ring = cfi_events_ring(events, worker);
    plat_store_release(&ring->written, plat_load_relaxed(&ring->head) + 1);
}

void cfi_events_forget(const cfi_events *events, unsigned worker) {
    cfi_event_ring *ring = cfi_events_ring(events, worker);
    plat_store_release(&ring->written, plat_load_relaxed(&ring->head));
}

void cfi_events_publish(const cfi_events *events, unsigned worker) {
    cfi_event_ring *ring = cfi_events_ring(events, worker);
    const uint64_t head = plat_load_relaxed(&ring->head) + 1;
    cfi_assert(plat_peek(&ring->written) == head);
    plat_store_release(&ring->head, head);
    if (head % (events->entries / 4) == 0 &&
        head - plat_load_relaxed(&ring->tail) >= events->entries / 2) {
        plat_event_ring_always(events->bell, events->shared);
    } else {
        plat_event_ring_light(events->bell, events->shared);
    }
}

/* In this order: a worker that dies on the way has either told of nothing, or cfi_events_adopt notes that it
 * lived. */
void cfi_events_tell_start(const cfi_events *events, unsigned worker, const cfi_event *event) {
    *cfi_events_next(events, worker) = *event;
    cfi_events_written(events, worker);
    plat_store_release(&cfi_events_ring(events, worker)->lives, 1);
    cfi_events_publish(events, worker);
}

bool cfi_events_end_life(const cfi_events *events, unsigned worker) {
    _Atomic uint32_t *lives = &cfi_events_ring(events, worker)->lives;
    const bool lived = plat_load_acquire(lives) != 0;
    plat_store_release(lives, 0);
    return lived;
}

void cfi_events_adopt(const cfi_events *events, unsigned worker, bool settled) {
    cfi_event_ring *ring = cfi_events_ring(events, worker);
    const uint64_t head = plat_load_acquire(&ring->head);
    const cfi_event *event = &ring->entries[head & (events->entries - 1)];
    if (plat_load_acquire(&ring->written) == head + 1 &&
        (settled || event->kind != CF_EVENT_ENDED)) {
        if (event->kind == CF_EVENT_WORKER_STARTED) {
            plat_store_release(&ring->lives, 1);
        }
        plat_store_release(&ring->head, head + 1);
        plat_event_ring_always(events->bell, events->shared);
    } else {
        cfi_events_forget(events, worker); /* a successor begins its entry there */
    }
}

/* ---- the caller's process -------------------------------------------------------------------- */

/* Under the lock. */
static bool grow(cfi_events *self) {
    const size_t capacity = self->capacity == 0 ? 64 : self->capacity * 2;
    cfi_event_note *notes = realloc(self->notes, capacity * sizeof *notes);
    if (notes != NULL) {
        self->notes = notes;
        self->capacity = capacity;
    }
    return notes != NULL;
}

void cfi_events_note(cfi_events *events, int worker, const cfi_event *event) {
    plat_lock_take(&events->lock);
    if (events->count < events->capacity || grow(events)) {
        events->notes[events->count++] = (cfi_event_note){.event = *event, .worker = worker};
    } else {
        events->lost++;
    }
    plat_lock_give(&events->lock);
    plat_event_ring_light(events->bell, events->shared);
}

/* ---- the reader ------------------------------------------------------------------------------ */

size_t cfi_events_look(const cfi_events *events, unsigned worker, const cfi_event **first) {
    cfi_event_ring *ring = cfi_events_ring(events, worker);
    const uint64_t head = plat_load_acquire(&ring->head);
    uint64_t tail = plat_load_relaxed(&ring->tail);
    if (head - tail > events->entries) { /* a task has written there: what it was is gone */
        plat_store_seq_cst(&ring->tail, head);
        tail = head;
    }
    const uint64_t place = tail & (events->entries - 1), to_end = events->entries - place;
    *first = &ring->entries[place];
    return head - tail < to_end ? head - tail : to_end;
}

void cfi_events_take(const cfi_events *events, unsigned worker, size_t count) {
    cfi_event_ring *ring = cfi_events_ring(events, worker);
    const uint64_t tail = plat_load_relaxed(&ring->tail) + count;
    plat_store_seq_cst(&ring->tail, tail); /* before the ring reads whether a worker waits */
    if (plat_load_relaxed(&ring->head) - tail <=
        events->entries / 2) { /* else the worker would soon wait again */
        plat_event_ring(events->room, events->shared);
    }
}

cfi_event_note *cfi_events_take_notes(cfi_events *events, size_t *count, uint64_t *lost) {
    plat_lock_take(&events->lock);
    cfi_event_note *notes = events->notes;
    *count = events->count;
    *lost = events->lost;
    events->notes = NULL;
    events->count = events->capacity = 0;
    events->lost = 0;
    plat_lock_give(&events->lock);
    return notes;
}
