/* 1024 slots and their futures, which are handed out together and used again together.
 *
 *   - The slots lie in memory that workers share, the futures and the slab itself in memory that they
 *     cannot write (queue/future.h). Futures are aligned, so that a future's address gives its slab;
 *     slots are a block of the arena, so that a slot's index gives its slab too.
 *   - The first place of both is a header. That of the futures leads to slab and slots,
 *     so a future needs no field for that. That of the slots tells workers where times are noted.
 *   - A slab is used again when all 1023 slots were handed out and given up (`given_up`) and every
 *     task is settled. If tasks without a future are not settled yet, the slab is looked at again
 *     when the next one is needed.
 *   - A future that is kept for long keeps its slab: 80 KiB.
 *   - A task's block goes back when the task is settled and its slot given up. If the slot is given
 *     up first, its future goes on the list of deferred ones, because no worker gives memory back.
 *   - Each submit looks at a few futures of that list, and at all of them if there is no memory for its
 *     task. So a pool does not fill up with large tasks whose futures were released. */
#ifndef CFUTURES_SLAB_H
#define CFUTURES_SLAB_H

#include "cfutures/queue/future.h"
#include "cfutures/queue/queue.h"

#include "platform/assert.h"

struct cf_executor;

/* Where a payload lies that does not fit its slot. */
typedef struct cfi_block_place {
    uint64_t block;
    uint32_t arg_size;
    uint16_t kind; /* as in the slot */
} cfi_block_place;

typedef struct cfi_slab {
    struct cf_executor *executor;
    cf_future *futures; /* one for each slot */
    cfi_slot *slots;
    cfi_block_place *places; /* likewise; NULL before the first payload in a block */
    uint64_t *parents;       /* likewise: cfi_slabs_note_parent; NULL before the first */
    uint64_t first_ticket;
    uint64_t times;            /* block of the tasks' times; 0 = not recorded */
    cfi_link link;             /* in the list of retired or free slabs */
    struct cfi_slab *all_next; /* in the list of all the executor's slabs */
    _Atomic uint32_t given_up;
    bool was_opened;  /* the directory has named it */
    uint32_t used;    /* slots that were handed out, not counting those of the open slab */
    bool has_blocks;  /* the payload of some task lies in a block since it was opened */
    bool has_parents; /* likewise: some task has a parent */
    _Atomic uint8_t was_pinned;
    _Atomic uint8_t released_unsettled; /* some slot was given up before its task was settled */
} cfi_slab;

/* In the place of a slab's first future. */
typedef struct cfi_futures_header {
    cfi_slab *slab;
    cfi_slot *slots;
} cfi_futures_header;

enum {
    CFI_FUTURES_BYTES = CFI_SLAB_SLOTS * sizeof(cf_future)
};

_Static_assert(sizeof(cfi_futures_header) <= sizeof(cf_future), "it takes one future's place");
_Static_assert(PLAT_REGION_ALIGNMENT % CFI_FUTURES_BYTES == 0, "futures are aligned to their size");
_Static_assert(PLAT_REGION_ALIGNMENT % CFI_SLAB_BYTES == 0, "slots are aligned to their size");

/* When a task was submitted, begun and done. One block holds those of a slab (times.h). */
typedef struct cfi_times {
    _Atomic int64_t submitted_ns;
    _Atomic int64_t started_ns;
    _Atomic int64_t finished_ns;
    _Atomic uint64_t number; /* of the task: how many were submitted before it */
} cfi_times;

enum {
    CFI_TIMES_BYTES = CFI_SLAB_SLOTS * sizeof(cfi_times)
};

static inline const cfi_futures_header *cfi_futures_header_of(const cf_future *future) {
    return (const cfi_futures_header *)((uintptr_t)future & ~(uintptr_t)(CFI_FUTURES_BYTES - 1));
}

static inline cfi_slab *cfi_slab_of(const cf_future *future) {
    return cfi_futures_header_of(future)->slab;
}

static inline uint32_t cfi_future_number(const cf_future *future) {
    return (uint32_t)((uintptr_t)future % CFI_FUTURES_BYTES / sizeof(cf_future));
}

static inline cfi_slot *cfi_slot_of(const cf_future *future) {
    return cfi_futures_header_of(future)->slots + cfi_future_number(future);
}

static inline cf_future *cfi_slab_future(const cfi_slab *slab, size_t number) {
    cfi_assert(number > 0 && number < CFI_SLAB_SLOTS);
    return slab->futures + number;
}

static inline cfi_slot *cfi_slab_slot(const cfi_slab *slab, size_t number) {
    cfi_assert(number < CFI_SLAB_SLOTS);
    return slab->slots + number;
}

static inline uint64_t cfi_slab_ticket_of(const cf_future *future) {
    return cfi_slab_of(future)->first_ticket + cfi_future_number(future);
}

static inline const cfi_block_place *cfi_future_place(const cf_future *future) {
    cfi_assert(cfi_future_has_block(future));
    return &cfi_slab_of(future)->places[cfi_future_number(future)];
}

/* Where the result begins in a slot that holds its payload. A slot that was overwritten may say that
 * it ends beyond: see cfi_future_fits. */
static inline size_t cfi_slot_result_offset(const cfi_slot *slot) {
    return cfi_limit_size(slot->kind) + cfi_result_offset(slot->arg_size);
}

/* The payload lies in a block, or the slot says that it fits. */
static inline bool cfi_future_fits(const cf_future *future) {
    return cfi_future_has_block(future) ||
           cfi_slot_result_offset(cfi_slot_of(future)) + cfi_future_result_size(future) <=
               CFI_SLOT_INLINE;
}

/* Argument, result and time limit, as the worker sees them (queue/slot.h). base: start of the region.
 * What they point to is always a part of the region that is the task's. */
static inline unsigned char *cfi_future_arg(const cf_future *future, char *base) {
    if (!cfi_future_has_block(future)) {
        cfi_slot *slot = cfi_slot_of(future);
        return slot->data + cfi_limit_size(slot->kind);
    }
    const cfi_block_place *place = cfi_future_place(future);
    return (unsigned char *)base + place->block + cfi_limit_size(place->kind);
}

static inline unsigned char *cfi_future_result(const cf_future *future, char *base) {
    if (!cfi_future_has_block(future)) {
        cfi_slot *slot = cfi_slot_of(future);
        size_t offset = cfi_slot_result_offset(slot);
        bool fits = offset + cfi_future_result_size(future) <= CFI_SLOT_INLINE;
        return slot->data + (fits ? offset : 0);
    }
    return cfi_future_arg(future, base) + cfi_result_offset(cfi_future_place(future)->arg_size);
}

/* NULL: the task has no time limit. */
static inline int64_t *cfi_future_limit(const cf_future *future, char *base) {
    if (!cfi_future_has_block(future)) {
        cfi_slot *slot = cfi_slot_of(future);
        return (slot->kind & CFI_LIMITED) != 0 ? (int64_t *)(void *)slot->data : NULL;
    }
    const cfi_block_place *place = cfi_future_place(future);
    return (place->kind & CFI_LIMITED) != 0 ? (int64_t *)(void *)(base + place->block) : NULL;
}

/* Hands out futures, slots and payloads in the order of tickets. All under the executor's lock. */
typedef struct cfi_slabs {
    struct cf_executor *executor; /* written into each slab; opaque here */
    cfi_arena *arena;
    cfi_queue *queue;
    void (*grown)(struct cf_executor *executor); /* after the arena has grown; or NULL */
    bool record_times;
    plat_region futures;                    /* of all slabs */
    size_t futures_made, futures_committed; /* bytes */
    _Atomic(cfi_slab *) *at;                /* by the span of its slots; NULL = none there */
    cfi_slab *all;
    cfi_slab *open;   /* slots are handed out from it; NULL before the first */
    uint64_t tail;    /* the next ticket to be given out: what workers read is a copy */
    cfi_list retired; /* all slots given up, some tasks perhaps not settled; oldest first */
    /* Ready for use. One is kept in reserve: when arguments and results fill the arena, the blocks
     * that they give back can serve new tasks only if there is a slot. */
    cfi_list free;
    cfi_list deferred; /* given up with a block, tasks perhaps not settled; oldest first */
    size_t deferred_count;
    uint32_t next; /* number of the next slot in `open` */
    size_t in_use; /* slabs that are neither free nor retired */
} cfi_slabs;

/* `executor` to `record_times` are set. False: no memory. */
bool cfi_slabs_init(cfi_slabs *slabs);
void cfi_slabs_fini(cfi_slabs *slabs);

/* Opens the next slab to hand out slots from. False: no memory. */
bool cfi_slabs_open(cfi_slabs *slabs);

/* Makes sure that there is a next slot. False: no memory. */
static inline bool cfi_slabs_have_slot(cfi_slabs *slabs) {
    return (slabs->open != NULL && slabs->next < CFI_SLAB_SLOTS) || cfi_slabs_open(slabs);
}

/* Memory for the payload of the next slot, which does not hold it. block: as below. False: no
 * memory. */
bool cfi_slabs_give_room(cfi_slabs *slabs, size_t arg_size, size_t payload, unsigned kind,
                         uint64_t block);

/* Looks at up to `looks` of the deferred futures. */
void cfi_slabs_reclaim(cfi_slabs *slabs, size_t looks);

/* The future of the next ticket, with room for its payload. NULL: no memory. It stays the next one
 * until cfi_slabs_use. kind: as in the slot, without CFI_TIMED. block: holds the payload already;
 * 0 = take one if the payload needs it. */
static inline cf_future *cfi_slabs_reserve(cfi_slabs *slabs, size_t arg_size, size_t result_size,
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
    cfi_assert(kind <= UINT16_MAX && (kind & CFI_TIMED) == 0 && result_size <= CFI_RESULT_SIZE);
    cf_future *future = cfi_slab_future(slabs->open, slabs->next);
    cfi_slot *slot = cfi_slab_slot(slabs->open, slabs->next);
    cfi_assert(cfi_future_refs(future) == 0 && !cfi_future_has_block(future));
    kind |= slabs->record_times ? CFI_TIMED : 0;
    slot->arg_size = (uint32_t)arg_size;
    slot->result_size = (uint32_t)result_size;
    slot->kind = (uint16_t)kind;
    uint32_t about = (uint32_t)result_size;
    size_t payload = cfi_limit_size(kind) + cfi_payload_size(arg_size, result_size);
    if (payload > CFI_SLOT_INLINE) {
        if (!cfi_slabs_give_room(slabs, arg_size, payload, kind, block)) {
            return NULL;
        }
        about |= CFI_HAS_BLOCK;
    }
    plat_store_relaxed(&future->about, about);
    return future;
}

/* The reserved future is not used after all: it holds no payload that could be given back later. */
static inline void cfi_slabs_unreserve(cf_future *future) {
    plat_store_relaxed(&future->about, 0);
}

/* The reserved future is used: the next ticket is the next one's. */
static inline void cfi_slabs_use(cfi_slabs *slabs) {
    cfi_assert(slabs->open != NULL && slabs->next < CFI_SLAB_SLOTS);
    slabs->next++;
    slabs->tail++;
}

/* The future whose slot has this index. The index may come from memory that a task has overwritten.
 * NULL: there is none. Any thread of the caller's process. */
cf_future *cfi_slabs_future_at(const cfi_slabs *slabs, uint32_t index);

/* The future of a ticket. NULL: it is a header's, or the slab was used again since, or a task has
 * overwritten the directory. Under the lock. */
cf_future *cfi_slabs_future_of(const cfi_slabs *slabs, uint64_t ticket);

/* The task of the reserved future was submitted by a running one, its parent, whose ticket this is.
 * Where memory is short it counts as one without a parent. Under the lock. */
void cfi_slabs_note_parent(cfi_slabs *slabs, const cf_future *future, uint64_t ticket);

/* The task was submitted by the one with this ticket, or by a task of which that is true. False if it
 * cannot be told, because one in between is over and its slab was used again. Under the lock. */
bool cfi_slabs_descends(const cfi_slabs *slabs, const cf_future *future, uint64_t ticket);

/* The slot was handed out, at some time. Under the lock. */
static inline bool cfi_slab_has_used(const cfi_slabs *slabs, const cfi_slab *slab, size_t number) {
    return number < slab->used || (slab == slabs->open && number < slabs->next);
}

/* The last reference to the future is gone. No lock needed. True if all slots of the slab are now
 * given up: then cfi_slabs_retire must follow, under the lock. */
bool cfi_slab_give_up(cf_future *future);
void cfi_slabs_retire(cfi_slabs *slabs, cfi_slab *slab);

/* Must come before the slot is counted as given up. */
static inline void cfi_slab_note_released(cfi_slab *slab, const cf_future *future) {
    if (!cfi_word_vacant(plat_load_acquire(&cfi_slot_of(future)->word))) {
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

/* Replaces cfi_slab_give_up and retire if the payload is in a block. Gives that back too: at once, or
 * after the task is settled. Under the lock. */
void cfi_slabs_defer(cfi_slabs *slabs, cf_future *future);

/* Memory for a payload. If there is none, first reclaims that of deferred futures. 0: no memory. */
uint64_t cfi_slabs_take_block(cfi_slabs *slabs, size_t size);

/* No more slots will be taken. True if all slots of the open slab are now given up: retire it. */
bool cfi_slabs_close(cfi_slabs *slabs);

/* A pending task with a ticket below `end`. NULL: there is none. Looks at all slots. */
cf_future *cfi_slabs_find_pending(const cfi_slabs *slabs, uint64_t end);

/* Calls visit for each future whose task is not settled. */
void cfi_slabs_visit_unsettled(cfi_slabs *slabs, void (*visit)(cf_future *future, void *context),
                               void *context);

#endif
