#include "cfutures/queue.h"

#include "platform/barrier.h"
#include "platform/clock.h"
#include "platform/futex.h"

#define TICKET_MASK ((UINT64_C(1) << 48) - 1)
#define EPOCH       (UINT64_C(1) << 48)

void cfi_queue_init(cfi_queue *queue, cfi_arena *arena, cfi_bell *bell, bool shared) {
    char *base = arena->region.base;
    queue->base = base;
    queue->control = (void *)(base + CFI_CONTROL_AT);
    queue->records = (void *)(base + CFI_RECORDS_AT);
    queue->tasks = (void *)(base + CFI_TASKS_AT);
    queue->directory = (void *)(base + CFI_DIRECTORY_AT);
    queue->bell = bell;
    queue->shared = shared;
    queue->followed = CFI_FIXED_BYTES;
    arena->told = &queue->control->committed;
}

cfi_slot *cfi_queue_at(const cfi_queue *queue, uint64_t ticket) {
    uint32_t slab = cfi_load_relaxed(
        &queue->directory[ticket / CFI_SLAB_SLOTS % CFI_SLABS_QUEUED_MAX]); /* ordered by tail */
    return cfi_queue_slot(queue, slab + (uint32_t)(ticket % CFI_SLAB_SLOTS));
}

uint64_t cfi_queue_cursor(const cfi_queue *queue) {
    return cfi_load_acquire(&queue->control->cursor) & TICKET_MASK;
}

bool cfi_queue_has_work(const cfi_queue *queue) {
    return cfi_queue_cursor(queue) < cfi_load_acquire(&queue->control->tail);
}

void cfi_queue_publish(cfi_queue *queue) {
    uint64_t tail =
        cfi_load_relaxed(&queue->control->tail); /* written under the lock that we hold */
    cfi_store_release(&queue->control->tail, tail + 1);
}

void cfi_queue_rewind(cfi_queue *queue, uint64_t ticket) {
    uint64_t seen = cfi_load_acquire(&queue->control->cursor);
    uint64_t next;
    do {
        uint64_t at = seen & TICKET_MASK;
        next = ((seen & ~TICKET_MASK) + EPOCH) | (at < ticket ? at : ticket);
    } while (!cfi_cas(&queue->control->cursor, &seen, next));
}

/* ---- waking ---------------------------------------------------------------------------------- */

static void wake(cfi_queue *queue, int how_many) {
    cfi_add_seq_cst(&queue->control->wake_count, 1);
    cfi_futex_wake(&queue->control->wake_count, how_many, queue->shared);
}

static void wake_if_needed(cfi_queue *queue) {
    if (cfi_load_relaxed(&queue->control->need_wake) != 0 &&
        cfi_swap_seq_cst(&queue->control->need_wake, 0) != 0) {
        wake(queue, 1);
    }
}

void cfi_queue_wake_one(cfi_queue *queue) {
    cfi_barrier_light(); /* tail is written before need_wake is read */
    wake_if_needed(queue);
}

void cfi_queue_wake_all(cfi_queue *queue) {
    wake(queue, INT_MAX);
}

static void ask_for_wake(cfi_queue *queue) {
    cfi_store_relaxed(&queue->control->need_wake, 1);
    cfi_barrier_heavy(queue->shared); /* need_wake is written before tail is read */
}

void cfi_queue_pass_on(cfi_queue *queue) {
    ask_for_wake(queue);
    if (cfi_queue_has_work(queue)) {
        wake_if_needed(queue);
    }
}

/* ---- the worker's side ----------------------------------------------------------------------- */

/* Without memory to do so it ends in a segmentation fault: the worker dies as it would of any
 * other. */
void cfi_queue_follow_growth(cfi_queue *queue) {
    uint64_t committed = cfi_load_acquire(&queue->control->committed);
    if (queue->shared && committed > queue->followed) {
        cfi_region_open(queue->base, queue->followed, committed - queue->followed);
        queue->followed = committed;
    }
}

/* The first pending slot from *ticket on, NULL when there is none; *ticket is left on it or at the
 * tail. */
static cfi_slot *find_pending(const cfi_queue *queue, uint64_t *ticket, uint64_t tail) {
    for (; *ticket < tail; ++*ticket) {
        cfi_slot *slot = cfi_queue_at(queue, *ticket);
        if (cfi_word_phase(cfi_load_relaxed(&slot->word)) == CFI_PENDING) {
            return slot;
        }
    }
    return NULL;
}

cfi_slot *cfi_queue_claim(cfi_queue *queue, unsigned worker, uint64_t *word) {
    cfi_control *control = queue->control;
    _Atomic uint32_t *current = &queue->records[worker].current;
    for (;;) {
        uint64_t seen = cfi_load_acquire(&control->cursor);
        uint64_t ticket = seen & TICKET_MASK;
        uint64_t tail = cfi_load_acquire(&control->tail);
        cfi_queue_follow_growth(queue);
        cfi_slot *slot = find_pending(queue, &ticket, tail);
        if (slot == NULL) {
            if (ticket == (seen & TICKET_MASK)) {
                return NULL;
            }
            ticket--; /* so that the cursor comes to rest at the tail */
        } else {
            cfi_store_relaxed(current, cfi_queue_index(queue, slot) + 1); /* ordered by the CAS */
        }
        if (!cfi_cas(&control->cursor, &seen, (seen & ~TICKET_MASK) | (ticket + 1))) {
            continue;
        }
        if (slot != NULL && cfi_slot_begin(slot, worker, word)) {
            return slot;
        }
    }
}

void cfi_queue_advance(cfi_queue *queue) {
    uint64_t seen = cfi_load_acquire(&queue->control->cursor);
    uint64_t ticket = seen & TICKET_MASK;
    find_pending(queue, &ticket, cfi_load_acquire(&queue->control->tail));
    cfi_cas(&queue->control->cursor, &seen, (seen & ~TICKET_MASK) | ticket);
}

void cfi_queue_account(cfi_queue *queue, unsigned worker) {
    cfi_record *record = &queue->records[worker];
    cfi_bump_owned(&record->busy_ns, cfi_now_ns() - cfi_load_relaxed(&record->awake_since_ns));
    cfi_store_relaxed(&record->awake_since_ns, 0);
}

bool cfi_queue_sleep(cfi_queue *queue, unsigned worker) {
    cfi_control *control = queue->control;
    cfi_record *record = &queue->records[worker];
    uint32_t woken = cfi_load_acquire(&control->wake_count);
    bool stop =
        cfi_load_acquire(&control->stop) != 0; /* first: what came before stop is seen below */
    ask_for_wake(queue);
    if (cfi_queue_has_work(queue)) {
        return true;
    }
    cfi_queue_account(queue, worker);
    if (!stop) {
        cfi_futex_wait(&control->wake_count, woken, -1, queue->shared);
        cfi_store_relaxed(&record->awake_since_ns, cfi_now_ns());
    }
    return !stop;
}

/* ---- room ------------------------------------------------------------------------------------ */

uint32_t cfi_queue_room_listen(cfi_queue *queue) {
    uint32_t room = cfi_load_acquire(&queue->control->room);
    cfi_store_relaxed(&queue->control->need_room, 1);
    cfi_barrier_heavy(queue->shared); /* need_room is written before the counts are read */
    return room;
}

bool cfi_queue_room_sleep(cfi_queue *queue, uint32_t room, int64_t deadline_ns) {
    return cfi_futex_wait(&queue->control->room, room, deadline_ns, queue->shared);
}

void cfi_queue_room_ring(cfi_queue *queue) {
    cfi_add_seq_cst(&queue->control->room, 1);
    cfi_futex_wake_all(&queue->control->room, queue->shared);
}

void cfi_queue_room_made(cfi_queue *queue) {
    cfi_barrier_light(); /* the count is written before need_room is read */
    if (cfi_load_relaxed(&queue->control->need_room) != 0 &&
        cfi_swap_seq_cst(&queue->control->need_room, 0) != 0) {
        cfi_queue_room_ring(queue);
    }
}
