/* 1024 slots that were handed out together and are recycled together.
 *
 * The first slot's place is the header. It names the executor, so a future needs no field for it: a
 * slab is aligned to its size, and any slot finds it by its own address.
 *
 * A slab goes back when every slot was handed out and given up (`given_up` counts to 1023) and
 * every task is settled; one that waits only for tasks nobody holds a future of is looked at again
 * when the next slab is needed. A future that is kept for long keeps its slab, 64 KiB.
 *
 * The block of a task goes back as soon as the task is settled and its slot given up. A slot that
 * is given up before, and has a block, is put on the list of the forgotten instead, which is looked
 * through a little with each new task, and wholly when there is no memory for one. */
#ifndef CFUTURES_SLAB_H
#define CFUTURES_SLAB_H

#include "cfutures/queue/queue.h"

struct cf_executor;

typedef struct cfi_slab {
    _Atomic uint64_t word; /* CFI_CLOSED for ever: workers pass over it */
    struct cf_executor *executor;
    uint64_t first_ticket;
    uint64_t times;            /* block of the tasks' times, 0 = not recorded */
    struct cfi_slab *next;     /* in the list of given or of spare slabs */
    struct cfi_slab *all_next; /* in the list of all of the executor's slabs */
    _Atomic uint32_t given_up;
    bool has_blocks; /* some task's payload lies in one */
    _Atomic uint8_t was_pinned;
    _Atomic uint8_t early; /* some slot was given up before its task was settled */
} cfi_slab;

_Static_assert(sizeof(cfi_slab) <= sizeof(cfi_slot), "the header takes one slot's place");
_Static_assert(offsetof(cfi_slab, word) == offsetof(cfi_slot, word), "workers read it as a slot");
_Static_assert(CFI_REGION_ALIGNMENT % CFI_SLAB_BYTES == 0, "a slab is aligned to its size");

/* When a task was submitted, begun and done; a slab's lie in one block (times.h). */
typedef struct cfi_times {
    _Atomic int64_t submitted_ns;
    _Atomic int64_t started_ns;
    _Atomic int64_t finished_ns;
} cfi_times;

enum {
    CFI_TIMES_BYTES = CFI_SLAB_SLOTS * sizeof(cfi_times)
};

static inline cfi_slab *cfi_slab_of(const cfi_slot *slot) {
    return (cfi_slab *)((uintptr_t)slot & ~(uintptr_t)(CFI_SLAB_BYTES - 1));
}

static inline cfi_slot *cfi_slab_slot(cfi_slab *slab, size_t number) {
    return (cfi_slot *)(void *)slab + number;
}

static inline uint64_t cfi_slab_ticket_of(const cfi_slot *slot) {
    const cfi_slab *slab = cfi_slab_of(slot);
    return slab->first_ticket + (uint64_t)(slot - (const cfi_slot *)(const void *)slab);
}

/* Slots and their payloads, handed out in the order of tickets; all under the executor's lock. */
typedef struct cfi_slabs {
    struct cf_executor *executor; /* what each slab says whose it is; a tag here */
    cfi_arena *arena;
    cfi_queue *queue;
    void (*grown)(struct cf_executor *executor); /* the arena has grown; NULL = nothing to do */
    bool record_times;
    cfi_slab *all;
    cfi_slab *open;  /* the one that slots are handed out from, NULL before the first */
    cfi_slab *given; /* wholly given up, with tasks that may not be settled; oldest first */
    cfi_slab *given_last;
    cfi_slab *spare;     /* ready for use; one is kept in reserve, so that an arena that is full of
                        arguments and results can use what is given back of them */
    cfi_slot *forgotten; /* nobody holds them, but their tasks may not be settled; oldest first */
    cfi_slot *forgotten_last;
    size_t forgotten_count;
    uint32_t next; /* number of the next slot in `open` */
    size_t in_use; /* slabs that are neither spare nor given */
} cfi_slabs;

/* The next slab to hand slots out from. False: no memory. */
bool cfi_slabs_open(cfi_slabs *slabs);

/* From now on the next slot is certain to be had. False: no memory. */
static inline bool cfi_slabs_have_slot(cfi_slabs *slabs) {
    return (slabs->open != NULL && slabs->next < CFI_SLAB_SLOTS) || cfi_slabs_open(slabs);
}

/* For a payload that does not fit the slot. block: as below. False: no memory. */
bool cfi_slabs_give_room(cfi_slabs *slabs, cfi_slot *slot, size_t payload, uint64_t block);

/* Looks at so many of the forgotten. */
void cfi_slabs_reclaim(cfi_slabs *slabs, size_t looks);

/* The slot of the next ticket, with room for its payload; NULL = no memory. It stays the next one
 * until cfi_slabs_use. kind: as in the slot, but for CFI_TIMED. block: one that holds the payload
 * already; 0 = take one if the payload needs one. */
static inline cfi_slot *cfi_slabs_reserve(cfi_slabs *slabs, size_t arg_size, size_t result_size,
                                          unsigned kind, uint64_t block) {
    enum {
        LOOKS = 2 /* more than this task can add */
    };
    if (slabs->forgotten != NULL) {
        cfi_slabs_reclaim(slabs, LOOKS);
    }
    if (!cfi_slabs_have_slot(slabs)) {
        return NULL;
    }
    cfi_slot *slot = cfi_slab_slot(slabs->open, slabs->next);
    slot->arg_size = (uint32_t)arg_size;
    slot->result_size = (uint32_t)result_size;
    slot->kind = (uint16_t)(kind | (slabs->record_times ? CFI_TIMED : 0));
    size_t payload =
        cfi_payload_size(arg_size, result_size) + ((kind & CFI_LIMITED) != 0 ? CFI_LIMIT_BYTES : 0);
    if (payload > CFI_SLOT_INLINE && !cfi_slabs_give_room(slabs, slot, payload, block)) {
        return NULL;
    }
    return slot;
}

/* The slot that was reserved last is taken: its ticket follows. */
static inline void cfi_slabs_use(cfi_slabs *slabs) {
    slabs->next++;
}

/* The last reference is gone. Called without the lock; true when the whole slab is given up: then
 * cfi_slabs_retire must follow, under the lock. */
bool cfi_slab_give_up(cfi_slot *slot);
void cfi_slabs_retire(cfi_slabs *slabs, cfi_slab *slab);

/* Before a slot is counted as given up. */
static inline void cfi_slab_note_early(cfi_slab *slab, const cfi_slot *slot) {
    if (!cfi_word_left(cfi_load_acquire(&slot->word))) {
        cfi_store_relaxed(&slab->early, 1);
    }
}

/* Counts so many as given up; returns as above. */
bool cfi_slab_is_given_up(cfi_slab *slab, uint32_t how_many);

/* Keeps the slab from being used again, also when all of its slots are given up, until unpinned
 * (executor.h). By whoever holds one of its slots. */
static inline void cfi_slab_pin(cfi_slab *slab) {
    cfi_store_relaxed(&slab->was_pinned, 1);
    cfi_sub_relaxed(&slab->given_up, 1);
}

/* Under the lock, instead, where the slot has a block: gives that back, at once or when the task is
 * settled. */
void cfi_slabs_forget(cfi_slabs *slabs, cfi_slot *slot);

/* Memory for a payload, also that of forgotten tasks that are settled. 0 = none. */
uint64_t cfi_slabs_take_block(cfi_slabs *slabs, size_t size);
/* No more slots will be taken. True when the open slab is thereby wholly given up: retire it. */
bool cfi_slabs_close(cfi_slabs *slabs);

/* Calls visit for each slot whose task is pending. */
void cfi_slabs_visit_pending(cfi_slabs *slabs, void (*visit)(cfi_slot *slot, void *context),
                             void *context);

#endif
