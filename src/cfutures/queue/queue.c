#include "cfutures/queue/queue.h"

#include "cfutures/queue/tuning.h"

#include "platform/assert.h"

#define EPOCH       (UINT64_C(1) << 40)
#define TICKET_MASK (EPOCH - 1)
#define CLAIMED_MAX (UINT64_MAX >> 8) /* the last ticket that `claimed` can hold */

_Static_assert((uint64_t)CFI_SLABS_QUEUED_MAX *CFI_SLAB_SLOTS < TICKET_MASK,
               "the cursor's low bits tell how far it is before the tail");

/* The ticket of a cursor that was read before `tail`, so that it is not after it. */
static uint64_t ticket_of(uint64_t cursor, uint64_t tail) {
    return tail - ((tail - cursor) & TICKET_MASK);
}

/* The cursor moved to a ticket. */
static uint64_t moved(uint64_t cursor, uint64_t ticket) {
    return (cursor & ~TICKET_MASK) | (ticket & TICKET_MASK);
}

void cfi_queue_init(cfi_queue *queue, cfi_arena *arena, cfi_bell *bell, bool shared) {
    char *base = arena->region.base;
    cfi_assert((size_t)arena->fixed * CFI_SPAN_BYTES == CFI_FIXED_BYTES);
    cfi_assert(arena->used == arena->fixed); /* no block was taken before `told` is set */
    queue->base = base;
    queue->control = (void *)(base + CFI_CONTROL_AT);
    queue->records = (void *)(base + CFI_RECORDS_AT);
    queue->tasks = (void *)(base + CFI_TASKS_AT);
    queue->directory = (void *)(base + CFI_DIRECTORY_AT);
    queue->bell = bell;
    queue->shared = shared;
    queue->followed = CFI_FIXED_BYTES;
    plat_store_relaxed(&queue->control->stands_at_ns, INT64_MAX); /* nobody else knows it yet */
    arena->told = &queue->control->committed;
    plat_store_relaxed(arena->told, CFI_FIXED_BYTES);
}

static cfi_slot *slot_at(const cfi_queue *queue, uint64_t ticket) {
    cfi_assert(ticket < plat_peek(&queue->control->tail));
    uint32_t slab = plat_load_relaxed(
        &queue->directory[ticket / CFI_SLAB_SLOTS % CFI_SLABS_QUEUED_MAX]); /* ordered by tail */
    return cfi_queue_slot(queue, slab + (uint32_t)(ticket % CFI_SLAB_SLOTS));
}

uint64_t cfi_queue_cursor(const cfi_queue *queue) {
    uint64_t cursor = plat_load_acquire(&queue->control->cursor);
    return ticket_of(cursor, plat_load_acquire(&queue->control->tail));
}

bool cfi_queue_has_work(const cfi_queue *queue) {
    uint64_t cursor = plat_load_acquire(&queue->control->cursor);
    uint64_t tail = plat_load_acquire(&queue->control->tail);
    return ticket_of(cursor, tail) != tail;
}

void cfi_queue_rewind(cfi_queue *queue, uint64_t ticket) {
    uint64_t tail = plat_load_relaxed(&queue->control->tail); /* ordered by the executor's lock */
    uint64_t seen = plat_load_acquire(&queue->control->cursor);
    uint64_t next;
    do {
        uint64_t at = ticket_of(seen, tail);
        next = moved(seen + EPOCH, at < ticket ? at : ticket);
    } while (!plat_cas(&queue->control->cursor, &seen, next));
}

/* ---- what there is to do --------------------------------------------------------------------- */

/* If the system has no memory for this, the worker's next access is a segmentation fault. It is
 * judged like any other death of a worker. */
void cfi_queue_open_growth(cfi_queue *queue, uint64_t committed) {
    cfi_assert(queue->shared && committed > queue->followed);
    plat_region_open(queue->base, queue->followed, committed - queue->followed);
    queue->followed = committed;
}

static bool is_pending(const cfi_slot *slot) {
    return cfi_word_phase(plat_load_relaxed(&slot->word)) == CFI_PENDING;
}

/* The first pending slot from *ticket on. *ticket becomes its ticket, or `end` if there is none. */
static cfi_slot *find_pending(const cfi_queue *queue, uint64_t *ticket, uint64_t end) {
    cfi_assert(*ticket <= end);
    for (; *ticket < end; ++*ticket) {
        cfi_slot *slot = slot_at(queue, *ticket);
        if (is_pending(slot)) {
            return slot;
        }
    }
    return NULL;
}

void cfi_queue_claimed_by(const cfi_queue *queue, unsigned worker, uint64_t *ticket,
                          uint64_t *end) {
    cfi_assert(worker < CF_WORKERS_MAX);
    uint64_t claimed = plat_load_acquire(&queue->records[worker].claimed);
    *ticket = claimed >> 8;
    *end = *ticket + (claimed & 0xff);
}

/* A pending slot that a worker has claimed. NULL: none. *ticket and *end become the rest of the
 * claim, with this slot. */
static cfi_slot *find_claimed(cfi_queue *queue, uint64_t *ticket, uint64_t *end) {
    unsigned workers = plat_load_acquire(&queue->control->workers);
    cfi_assert(workers <= CF_WORKERS_MAX);
    for (unsigned i = 0; i < workers; i++) {
        cfi_queue_claimed_by(queue, i, ticket, end);
        cfi_assert(*end - *ticket <= CFI_CLAIM_MAX);
        cfi_queue_follow_growth(queue); /* the claim may lie in memory committed since */
        cfi_slot *slot = find_pending(queue, ticket, *end);
        if (slot != NULL) {
            return slot;
        }
    }
    return NULL;
}

bool cfi_queue_has_any_work(cfi_queue *queue) {
    uint64_t ticket, end;
    cfi_queue_follow_growth(queue);
    return cfi_queue_has_work(queue) || find_claimed(queue, &ticket, &end) != NULL;
}

bool cfi_queue_has_idle_worker(const cfi_queue *queue, unsigned workers) {
    cfi_assert(workers <= CF_WORKERS_MAX);
    for (unsigned i = 0; i < workers; i++) {
        if (plat_load_relaxed(&queue->records[i].current) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- claiming -------------------------------------------------------------------------------- */

static void set_claimed(cfi_record *record, uint64_t ticket, uint64_t count) {
    cfi_assert(count <= CFI_CLAIM_MAX && ticket <= CLAIMED_MAX);
    uint64_t claimed = count > 1 ? ticket << 8 | count : 0; /* a single one is in `current` */
    if (plat_load_relaxed(&record->claimed) != claimed) {
        plat_store_release(&record->claimed, claimed); /* others read the slots that it names */
    }
}

static uint64_t lesser(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static uint64_t claim_count(const cfi_queue *queue, const cfi_claim *claim, uint64_t pending) {
    cfi_assert(pending > 0);
    if (claim->max == 1) {
        return 1;
    }
    uint64_t share =
        pending / ((uint64_t)CFI_CLAIM_DIVISOR * plat_load_relaxed(&queue->control->workers));
    uint64_t most = claim->max > 0 ? claim->max : CFI_CLAIM_MAX;
    return share > 0 ? lesser(share, most) : 1;
}

/* Gets the slots of these tickets from the submitter's cache, to be written, while the worker runs the
 * tasks before them. Else the worker would wait for each of them. */
static void fetch(const cfi_queue *queue, uint64_t ticket, uint64_t end) {
    for (; ticket < end; ticket++) {
        __builtin_prefetch(slot_at(queue, ticket), 1);
    }
}

/* Claims the first pending task and some after it. False when none is pending. */
static bool claim_more(cfi_queue *queue, cfi_claim *claim) {
    cfi_control *control = queue->control;
    cfi_record *record = &queue->records[claim->worker];
    for (;;) {
        uint64_t seen = plat_load_acquire(&control->cursor);
        uint64_t tail = plat_load_acquire(&control->tail);
        uint64_t first = ticket_of(seen, tail);
        uint64_t ticket = first;
        cfi_queue_follow_growth(queue);
        cfi_slot *slot = find_pending(queue, &ticket, tail);
        if (ticket == first && slot == NULL) {
            return false;
        }
        uint64_t count = slot != NULL ? claim_count(queue, claim, tail - ticket) : 0;
        cfi_assert(ticket + count <= tail); /* what is not submitted yet stays after the cursor */
        set_claimed(record, ticket, count);
        if (slot != NULL) {
            plat_store_relaxed(&record->current, cfi_queue_index(queue, slot) + 1);
        }
        cfi_fault_point(queue, claim->worker, CLAIM_NOTED);
        if (plat_cas(&control->cursor, &seen, moved(seen, ticket + count))) {
            cfi_assert(claim->next == claim->end);
            claim->next = ticket;
            claim->end = ticket + count;
            fetch(queue, ticket, ticket + lesser(count, CFI_FETCH_AHEAD));
            cfi_fault_point(queue, claim->worker, CLAIM_MOVED);
            return slot != NULL;
        }
    }
}

static bool begin(cfi_queue *queue, cfi_claim *claim, cfi_slot *slot, uint64_t *word) {
    plat_store_relaxed(&queue->records[claim->worker].current,
                       cfi_queue_index(queue, slot) + 1); /* ordered by the CAS */
    cfi_fault_point(queue, claim->worker, BEGIN_NOTED);
    bool begun = cfi_slot_begin(slot, claim->worker, word);
    if (begun) {
        cfi_fault_point(queue, claim->worker, BEGIN_BEGUN);
    }
    return begun;
}

static cfi_slot *begin_claimed(cfi_queue *queue, cfi_claim *claim, uint64_t *word) {
    cfi_assert(claim->end - claim->next <= CFI_CLAIM_MAX);
    while (claim->next < claim->end) {
        uint64_t ahead = claim->next + CFI_FETCH_AHEAD;
        cfi_slot *slot = slot_at(queue, claim->next++);
        fetch(queue, ahead, lesser(ahead + 1, claim->end));
        if (is_pending(slot) && begin(queue, claim, slot, word)) {
            return slot;
        }
    }
    return NULL;
}

static cfi_slot *begin_claimed_by_others(cfi_queue *queue, cfi_claim *claim, uint64_t *word) {
    uint64_t ticket, end;
    cfi_slot *slot;
    cfi_assert(claim->next == claim->end); /* its own come first */
    while ((slot = find_claimed(queue, &ticket, &end)) != NULL) {
        if (begin(queue, claim, slot, word)) {
            return slot;
        }
    }
    return NULL;
}

/* Now and then the others' claims come first. Else they would wait while a worker runs a long task
 * and new tasks always follow after the cursor. */
static bool others_have_turn(cfi_claim *claim) {
    return ++claim->claims % CFI_CLAIMS_A_TURN == 0;
}

cfi_slot *cfi_queue_claim(cfi_queue *queue, cfi_claim *claim, uint64_t *word) {
    cfi_slot *slot = begin_claimed(queue, claim, word);
    if (slot == NULL && others_have_turn(claim)) {
        slot = begin_claimed_by_others(queue, claim, word);
    }
    while (slot == NULL && claim_more(queue, claim)) {
        slot = begin_claimed(queue, claim, word);
    }
    if (slot == NULL) {
        slot = begin_claimed_by_others(queue, claim, word);
    }
    cfi_assert(slot == NULL || cfi_word_is_run_by(*word, claim->worker));
    cfi_assert(claim->max != 1 || claim->next == claim->end); /* it may retire after this task */
    return slot;
}

/* *seen: the cursor as it is. Returns where it may move to. */
static uint64_t advanced(const cfi_queue *queue, uint64_t *seen) {
    *seen = plat_load_acquire(&queue->control->cursor);
    uint64_t tail = plat_load_acquire(&queue->control->tail);
    uint64_t ticket = ticket_of(*seen, tail);
    find_pending(queue, &ticket, tail);
    return moved(*seen, ticket);
}

void cfi_queue_advance(cfi_queue *queue) {
    uint64_t seen;
    const uint64_t next = advanced(queue, &seen);
    plat_cas(&queue->control->cursor, &seen, next);
}

void cfi_queue_advance_alone(cfi_queue *queue) {
    uint64_t seen;
    const uint64_t next = advanced(queue, &seen);
    plat_store_release(&queue->control->cursor, next);
}

/* ---- fault points ---------------------------------------------------------------------------- */

#ifdef CFI_FAULT_POINTS

/* The ticket of a slot, by the directory: that of the latest tickets first. 0: it is not there. */
static uint64_t ticket_at(const cfi_queue *queue, uint32_t index) {
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

/* The first slot of each slab is its header, which has no number. */
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
        .number = number_of(ticket_at(queue, current - 1)),
        .attempt = cfi_word_attempts(word) + (cfi_word_phase(word) == CFI_PENDING),
    };
}

void cfi_fault_pass(const cfi_queue *queue, unsigned worker, plat_fault_id point) {
    cfi_assert(worker < CF_WORKERS_MAX);
    plat_fault_pass(point,
                    plat_fault_asks_for_task() ? task_of(queue, worker) : (plat_fault_task){0});
}

#endif
