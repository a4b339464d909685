/* The caller's half of a task: a future, in memory that only the caller's process can write.
 *
 *   - A task that writes to a wrong place may overwrite slots, words of the queue, payloads: all that
 *     worker processes share. What the caller follows must not lie there. So the future has the
 *     pointers and the reference count of a task, and the size of its result. If the payload lies in a
 *     block, the slab has a copy of where (cfi_block_place). The slot has what the worker needs, and
 *     what it answers.
 *   - An answer is checked before it is used, an index before it is followed (cfi_slabs_future_at).
 *   - Futures lie in slabs, in the order of their slots (slab.h). So each leads to the other.
 *   - Most callers have many, and submit writes each: so it is small. */
#ifndef CFUTURES_FUTURE_H
#define CFUTURES_FUTURE_H

#include "cfutures/queue/slot.h"

struct cfi_watch; /* waiting/watch.h */

struct cf_future {
    union {
        struct cfi_watch *watch; /* list of its watches; under drain_lock */
        cfi_link deferred;       /* if nobody holds it: slab.h */
    };
    _Atomic uint32_t refs;  /* of the caller, watches, the completion stack; CFI_OBSERVED */
    _Atomic uint32_t about; /* the bits below; changes under drain_lock while the slot is open */
};

_Static_assert(sizeof(cf_future) == 16, "four futures a cache line");

/* In refs: a caller has asked how the task ended. */
#define CFI_OBSERVED UINT32_C(0x80000000)

/* In about. The announcement: neither bit is set before a watch asks for it. */
#define CFI_RESULT_SIZE UINT32_C(0x0fffffff) /* bytes that the result may have */
#define CFI_HAS_BLOCK   UINT32_C(0x10000000) /* the payload lies in a block, else in the slot */
#define CFI_ASKED       UINT32_C(0x20000000) /* its settler pushes it; the stack has a reference */
#define CFI_COLLECTED   UINT32_C(0x40000000) /* taken off the stack */

/* The references to a future. */
static inline uint32_t cfi_future_refs(const cf_future *future) {
    return plat_peek(&future->refs) & ~CFI_OBSERVED;
}

static inline size_t cfi_future_result_size(const cf_future *future) {
    return plat_peek(&future->about) & CFI_RESULT_SIZE;
}

static inline bool cfi_future_has_block(const cf_future *future) {
    return (plat_peek(&future->about) & CFI_HAS_BLOCK) != 0;
}

/* It was asked for, and not collected yet. */
static inline bool cfi_future_is_asked(const cf_future *future) {
    return (plat_load_relaxed(&future->about) & (CFI_ASKED | CFI_COLLECTED)) == CFI_ASKED;
}

/* Under drain_lock. */
static inline void cfi_future_mark(cf_future *future, uint32_t bit) {
    plat_store_relaxed(&future->about, plat_load_relaxed(&future->about) | bit);
}

#endif
