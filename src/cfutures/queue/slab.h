/* 1024 slots that are handed out together and used again together.
 *
 *   - The first slot's place is the header. It names the executor, so a future needs no field for
 *     that. A slab is aligned to its size: the address of a slot gives its header.
 *   - A slab is used again when all 1023 slots were handed out and given up (`given_up`) and every
 *     task is settled. If tasks without a future are not settled yet, the slab is looked at again
 *     when the next one is needed.
 *   - A future that is kept for long keeps its slab: 64 KiB.
 *   - A task's block goes back when the task is settled and its slot given up. If the slot is given
 *     up first, it goes on the list of deferred slots, because no worker gives memory back.
 *   - Each submit looks at a few slots of that list, and at all of them if there is no memory for its
 *     task. So a pool does not fill up with large tasks whose futures were released. */
#ifndef CFUTURES_SLAB_H
#define CFUTURES_SLAB_H

#include "cfutures/queue/queue.h"

#include "platform/assert.h"

struct cf_executor;

typedef struct cfi_slab {
    _Atomic uint64_t word; /* CFI_CLOSED forever: workers pass over it */
    struct cf_executor *executor;
    uint64_t first_ticket;
    uint64_t times;            /* block of the tasks' times; 0 = not recorded */
    cfi_link link;             /* in the list of retired or free slabs */
    struct cfi_slab *all_next; /* in the list of all the executor's slabs */
    _Atomic uint32_t given_up;
    bool has_blocks; /* the payload of some task lies in a block */
    _Atomic uint8_t was_pinned;
    _Atomic uint8_t released_unsettled; /* some slot was given up before its task was settled */
} cfi_slab;

_Static_assert(sizeof(cfi_slab) <= sizeof(cfi_slot), "the header takes one slot's place");
_Static_assert(offsetof(cfi_slab, word) == offsetof(cfi_slot, word), "workers read it as a slot");
_Static_assert(PLAT_REGION_ALIGNMENT % CFI_SLAB_BYTES == 0, "a slab is aligned to its size");

/* When a task was submitted, begun and done. One block holds those of a slab (times.h). */
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
    cfi_assert(number < CFI_SLAB_SLOTS);
    return (cfi_slot *)(void *)slab + number;
}

static inline uint64_t cfi_slab_ticket_of(const cfi_slot *slot) {
    const cfi_slab *slab = cfi_slab_of(slot);
    return slab->first_ticket + (uint64_t)(slot - (const cfi_slot *)(const void *)slab);
}

/* Hands out slots and their payloads in the order of tickets. All under the executor's lock. */
typedef struct cfi_slabs {
    struct cf_executor *executor; /* written into each slab; opaque here */
    cfi_arena *arena;
    cfi_queue *queue;
    void (*grown)(struct cf_executor *executor); /* after the arena has grown; or NULL */
    bool record_times;
    cfi_slab *all;
    cfi_slab *open;   /* slots are handed out from it; NULL before the first */
    cfi_list retired; /* all slots given up, some tasks perhaps not settled; oldest first */
    /* Ready for use. One is kept in reserve: when arguments and results fill the arena, the blocks
     * that they give back can serve new tasks only if there is a slot. */
    cfi_list free;
    cfi_list deferred; /* given up with a block, tasks perhaps not settled; oldest first */
    size_t deferred_count;
    uint32_t next; /* number of the next slot in `open` */
    size_t in_use; /* slabs that are neither free nor retired */
} cfi_slabs;

/* Opens the next slab to hand out slots from. False: no memory. */
bool cfi_slabs_open(cfi_slabs *slabs);

/* Makes sure that there is a next slot. False: no memory. */
static inline bool cfi_slabs_have_slot(cfi_slabs *slabs) {
    return (slabs->open != NULL && slabs->next < CFI_SLAB_SLOTS) || cfi_slabs_open(slabs);
}

/* Memory for a payload that does not fit the slot. block: as below. False: no memory. */
bool cfi_slabs_give_room(cfi_slabs *slabs, cfi_slot *slot, size_t payload, uint64_t block);

/* Looks at up to `looks` of the deferred slots. */
void cfi_slabs_reclaim(cfi_slabs *slabs, size_t looks);

/* The slot of the next ticket, with room for its payload. NULL: no memory. It stays the next slot
 * until cfi_slabs_use. kind: as in the slot, without CFI_TIMED. block: holds the payload already;
 * 0 = take one if the payload needs it. */
static inline cfi_slot *cfi_slabs_reserve(cfi_slabs *slabs, size_t arg_size, size_t result_size,
                                          unsigned kind, uint64_t block) {
    enum {
        LOOKS = 2 /* more than the one that this task can add */
    };
    if (!cfi_list_is_empty(&slabs->deferred)) {
        cfi_slabs_reclaim(slabs, LOOKS);
    }
    if (!cfi_slabs_have_slot(slabs)) {
        return NULL;
    }
    cfi_assert(slabs->next >= 1 && slabs->next < CFI_SLAB_SLOTS);
    cfi_slot *slot = cfi_slab_slot(slabs->open, slabs->next);
    cfi_assert((plat_peek(&slot->refs) & ~CFI_OBSERVED) == 0);
    cfi_assert(kind <= UINT16_MAX && (kind & CFI_TIMED) == 0);
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

/* The reserved slot is not used after all: it holds no payload that could be given back later. */
static inline void cfi_slabs_unreserve(cfi_slot *slot) {
    slot->arg_size = slot->result_size = slot->kind = 0;
}

/* The reserved slot is used: the next ticket has the next slot. */
static inline void cfi_slabs_use(cfi_slabs *slabs) {
    cfi_assert(slabs->open != NULL && slabs->next < CFI_SLAB_SLOTS);
    slabs->next++;
}

/* The last reference to the slot is gone. No lock needed. True if all slots of the slab are now
 * given up: then cfi_slabs_retire must follow, under the lock. */
bool cfi_slab_give_up(cfi_slot *slot);
void cfi_slabs_retire(cfi_slabs *slabs, cfi_slab *slab);

/* Must come before the slot is counted as given up. */
static inline void cfi_slab_note_released(cfi_slab *slab, const cfi_slot *slot) {
    if (!cfi_word_vacant(plat_load_acquire(&slot->word))) {
        plat_store_relaxed(&slab->released_unsettled, 1);
    }
}

/* Counts `how_many` slots as given up. Returns as above. */
bool cfi_slab_is_given_up(cfi_slab *slab, uint32_t how_many);

/* Keeps the slab from being used again, even if all its slots are given up, until cfi_slab_unpin
 * (core/reference.h). The caller holds one of its slots. */
static inline void cfi_slab_pin(cfi_slab *slab) {
    cfi_assert((int32_t)plat_peek(&slab->given_up) < CFI_SLAB_SLOTS - 1);
    plat_store_relaxed(&slab->was_pinned, 1);
    plat_sub_relaxed(&slab->given_up, 1);
}

/* Replaces cfi_slab_give_up and retire if the slot has a block. Gives that back too: at once, or
 * after the task is settled. Under the lock. */
void cfi_slabs_defer(cfi_slabs *slabs, cfi_slot *slot);

/* Memory for a payload. If there is none, first reclaims that of deferred slots. 0: no memory. */
uint64_t cfi_slabs_take_block(cfi_slabs *slabs, size_t size);

/* No more slots will be taken. True if all slots of the open slab are now given up: retire it. */
bool cfi_slabs_close(cfi_slabs *slabs);

/* Calls visit for each slot whose task is pending. */
void cfi_slabs_visit_pending(cfi_slabs *slabs, void (*visit)(cfi_slot *slot, void *context),
                             void *context);

#endif
