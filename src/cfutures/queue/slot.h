/* One task and its future: 64 bytes that the caller and the workers share.
 *
 * The word is the truth about the task; every change of it is a compare-and-swap in this file.
 *
 *      PENDING ──begin──▶ RUNNING ──settle──▶ FINISHED
 *         │  ▲               │
 *         │  └─────again─────┘ (its worker died)
 *         └──────cancel──────────────────────▶ CANCELLED
 *
 * Begin is the one gate: a worker and a canceller that race for a pending task meet there, and one
 * of them wins.
 *
 * Who writes what, and when
 *   caller   all fields before the word becomes PENDING, by the release store in cfi_slot_open
 *   worker   detail, outcome and the result, between begin and settle, while the word says RUNNING
 *            with its own index as the owner; the settling CAS publishes them
 *   caller   the same fields in place of a worker that is known to be dead
 *   caller   refs, watch and announcement at any time: no worker looks at them
 *   deadline thread   CFI_EXPIRED in the word of a run that is over its time. In a process its
 *            worker is then killed, and judged as all dead are. From a thread the task is taken in
 *            the same step, by FINISHED and CFI_OCCUPIED: the thread goes on in a slot that nobody
 *            reads any more, and that is not used again before it has left (deadline.h)
 *   settler  next_done, if the word asked to be announced (see watch.h)
 *
 * A worker that lags behind may hold a slot that has meanwhile been recycled for another task. If
 * that one is PENDING it begins it, which is as good as any worker doing so; else its CAS fails.
 *
 * Futexes are 32 bits wide: threads that wait for one task sleep on the word's low half, which
 * holds the phase. (That half comes first in memory on the little-endian machines supported.) */
#ifndef CFUTURES_SLOT_H
#define CFUTURES_SLOT_H

#include "platform/atomic.h"

#include <cfutures.h>

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the slot's word assumes a little-endian machine"
#endif

struct cfi_watch; /* watch.h */

enum {
    CFI_SLOT_INLINE = 24,
    CFI_LIMIT_BYTES = 8
};

/* The rest of `kind`. One field that is written as a whole, so that submit need not wait for the
 * slot's line, which a worker had last. */
enum {
    CFI_KIND_TASK = 0x0fff,
    CFI_LIMITED = 0x1000,  /* the payload begins with the time that a run may take */
    CFI_UNZEROED = 0x2000, /* the result is not cleared before a run */
    CFI_TIMED = 0x4000,    /* its times are recorded: times.h */
};

/* A cf_future is a slot as the caller holds it. */
typedef struct cf_future {
    union {
        _Atomic uint64_t word;
        _Atomic uint32_t futex; /* the low half, for the kernel only */
    };
    uint32_t arg_size;
    uint32_t result_size;
    uint32_t next_done;           /* next in the completion stack: index + 1, 0 ends it */
    int32_t detail;               /* CF_OK: length of the result; CF_ETASK: the task's error number;
                           CF_EWORKER: the wait status of its dead worker */
    uint16_t kind;                /* index into the task table, and the bits below */
    uint8_t outcome;              /* a cf_status, once FINISHED */
    _Atomic uint8_t announcement; /* a cfi_announcement; under the reap lock once it is open */
    _Atomic uint32_t refs;        /* the caller's handle, watches, the completion stack; CFI_SEEN */
    union {
        struct cfi_watch *watch;          /* who wants to hear of it; under the reap lock */
        struct cf_future *next_forgotten; /* nobody does: see slab.h */
    };
    union {
        unsigned char data[CFI_SLOT_INLINE]; /* the payload, if it fits: time limit, argument, */
        uint64_t block; /* (8-aligned) result; else the offset of the block that holds it */
    };
} cfi_slot;

_Static_assert(CF_WORKERS_MAX <= 1024, "an owner has 10 bits");
_Static_assert(sizeof(cfi_slot) == 64, "a slot is one cache line");
_Static_assert(offsetof(cfi_slot, data) % 8 == 0, "arguments are aligned to 8 bytes");

/* In refs: somebody has asked how the task ended. */
#define CFI_SEEN UINT32_C(0x80000000)

/* ---- the word -------------------------------------------------------------------------------- */

typedef enum cfi_phase {
    CFI_CLOSED, /* nothing here to run: never used yet, or a slab's header */
    CFI_PENDING,
    CFI_RUNNING,
    CFI_FINISHED,
    CFI_CANCELLED,
} cfi_phase;

/* bits 0-2 phase, 3 to 7 flags, 8-23 attempts begun, 24-33 owner, 34-47 tick, 48-63 attempts
 * allowed */
#define CFI_PHASE_MASK UINT64_C(7)
#define CFI_WAITED     UINT64_C(8)   /* a thread sleeps on the futex: the settler wakes it */
#define CFI_WATCHED    UINT64_C(16)  /* the settler announces it on the completion stack */
#define CFI_EXPIRED    UINT64_C(32)  /* the run was over its time: how it ended does not count */
#define CFI_OCCUPIED   UINT64_C(64)  /* and its thread is still in it */
#define CFI_BROKEN     UINT64_C(128) /* FINISHED without a run: the pool was broken */
#define CFI_OWNER      (UINT64_C(1) << 24)
#define CFI_OWNER_MASK (UINT64_C(0x3ff) << 24)
#define CFI_TICK       (UINT64_C(1) << 34)
#define CFI_TICK_MASK  (UINT64_C(0x3fff) << 34)
#define CFI_ATTEMPT    UINT64_C(0x100)

static inline cfi_phase cfi_word_phase(uint64_t word) {
    return (cfi_phase)(word & CFI_PHASE_MASK);
}

static inline bool cfi_word_settled(uint64_t word) {
    return cfi_word_phase(word) >= CFI_FINISHED;
}

/* Settled, and nobody writes there any more. */
static inline bool cfi_word_left(uint64_t word) {
    return cfi_word_settled(word) && (word & CFI_OCCUPIED) == 0;
}

static inline unsigned cfi_word_attempts(uint64_t word) {
    return (unsigned)(word >> 8 & 0xffff);
}

static inline unsigned cfi_word_owner(uint64_t word) {
    return (unsigned)((word & CFI_OWNER_MASK) / CFI_OWNER);
}

static inline unsigned cfi_word_allowed(uint64_t word) {
    return (unsigned)(word >> 48);
}

static inline uint64_t cfi_word_with_phase(uint64_t word, cfi_phase phase) {
    return (word & ~CFI_PHASE_MASK) | (uint64_t)phase;
}

static inline bool cfi_word_is_run_by(uint64_t word, unsigned worker) {
    return cfi_word_phase(word) == CFI_RUNNING && cfi_word_owner(word) == worker;
}

/* ---- transitions ----------------------------------------------------------------------------- */

/* Caller: the filled-in slot may now be begun. */
static inline void cfi_slot_open(cfi_slot *slot, unsigned retries) {
    cfi_store_release(&slot->word, (uint64_t)(retries + 1) << 48 | CFI_PENDING);
}

/* Worker: PENDING -> RUNNING. On success *word is the new word. */
static inline bool cfi_slot_begin(cfi_slot *slot, unsigned worker, uint64_t *word) {
    uint64_t seen = cfi_load_relaxed(&slot->word);
    while (cfi_word_phase(seen) == CFI_PENDING) {
        uint64_t next = cfi_word_with_phase(seen, CFI_RUNNING) + CFI_ATTEMPT;
        next = (next & ~(CFI_OWNER_MASK | CFI_TICK_MASK)) | worker * CFI_OWNER;
        if (cfi_cas(&slot->word, &seen, next)) {
            *word = next;
            return true;
        }
    }
    return false;
}

/* Worker: RUNNING by it -> FINISHED, with CFI_EXPIRED if it is late by itself. False when the run
 * was declared over its time. *word is the word that was replaced: its flags say who wants to know.
 * */
static inline bool cfi_slot_settle(cfi_slot *slot, unsigned worker, bool late, uint64_t *word) {
    *word = cfi_load_relaxed(&slot->word);
    while (cfi_word_is_run_by(*word, worker) && (*word & CFI_EXPIRED) == 0) {
        uint64_t next = cfi_word_with_phase(*word, CFI_FINISHED) | (late ? CFI_EXPIRED : 0);
        if (cfi_cas(&slot->word, word, next)) {
            return true;
        }
    }
    return false;
}

/* Worker: RUNNING by it, with another time limit from now on: the word changes, so that the
 * deadline thread cannot take this limit for the one before. False when the run was declared over
 * its time. */
static inline bool cfi_slot_tick(cfi_slot *slot, unsigned worker) {
    uint64_t word = cfi_load_relaxed(&slot->word);
    while (cfi_word_is_run_by(word, worker) && (word & CFI_EXPIRED) == 0) {
        uint64_t next = (word & ~CFI_TICK_MASK) | ((word + CFI_TICK) & CFI_TICK_MASK);
        if (cfi_cas(&slot->word, &word, next)) {
            return true;
        }
    }
    return false;
}

/* Deadline thread: the run that *word shows is over its time. Either it stays RUNNING, but cannot
 * be settled any more; or it is FINISHED and occupied. *word is the word that was replaced. */
static inline bool cfi_slot_expire(cfi_slot *slot, bool finished, uint64_t *word) {
    uint64_t seen = *word;
    while (cfi_word_phase(*word) == CFI_RUNNING && (*word & CFI_EXPIRED) == 0 &&
           ((*word ^ seen) & ~(CFI_WAITED | CFI_WATCHED)) == 0) {
        uint64_t next = *word | CFI_EXPIRED;
        if (finished) {
            next = cfi_word_with_phase(next, CFI_FINISHED) | CFI_OCCUPIED;
        }
        if (cfi_cas(&slot->word, word, next)) {
            return true;
        }
    }
    return false;
}

/* Thread: out of the slot that was taken from it. */
static inline void cfi_slot_vacate(cfi_slot *slot) {
    cfi_and_release(&slot->word, ~CFI_OCCUPIED);
}

/* In place of a dead worker: RUNNING by `worker` -> phase (FINISHED, or PENDING to be run again).
 * False when the task was no longer that worker's. */
static inline bool cfi_slot_leave(cfi_slot *slot, unsigned worker, cfi_phase phase,
                                  uint64_t *word) {
    *word = cfi_load_relaxed(&slot->word);
    while (cfi_word_is_run_by(*word, worker)) {
        if (cfi_cas(&slot->word, word, cfi_word_with_phase(*word, phase))) {
            return true;
        }
    }
    return false;
}

/* Caller: PENDING -> CANCELLED, or FINISHED when the pool is broken. */
static inline bool cfi_slot_withdraw(cfi_slot *slot, bool broken, uint64_t *word) {
    *word = cfi_load_relaxed(&slot->word);
    while (cfi_word_phase(*word) == CFI_PENDING) {
        uint64_t next = broken ? cfi_word_with_phase(*word, CFI_FINISHED) | CFI_BROKEN
                               : cfi_word_with_phase(*word, CFI_CANCELLED);
        if (cfi_cas(&slot->word, word, next)) {
            return true;
        }
    }
    return false;
}

/* Caller: asks the settler to wake or announce. False when the slot is settled already, and with
 * acquire: its result may be read. *word is the word as it is now. */
static inline bool cfi_slot_flag(cfi_slot *slot, uint64_t flag, uint64_t *word) {
    *word = cfi_load_acquire(&slot->word);
    while (!cfi_word_settled(*word)) {
        if ((*word & flag) != 0 || cfi_cas(&slot->word, word, *word | flag)) {
            *word |= flag;
            return true;
        }
    }
    return false;
}

/* ---- payload --------------------------------------------------------------------------------- */

static inline size_t cfi_result_offset(size_t arg_size) {
    return (arg_size + 7) & ~(size_t)7;
}

static inline size_t cfi_payload_size(size_t arg_size, size_t result_size) {
    return cfi_result_offset(arg_size) + result_size;
}

static inline size_t cfi_slot_limit_size(const cfi_slot *slot) {
    return (slot->kind & CFI_LIMITED) != 0 ? CFI_LIMIT_BYTES : 0;
}

/* Bytes of the slot's payload: in a block of its own if they do not fit. */
static inline size_t cfi_slot_payload_size(const cfi_slot *slot) {
    return cfi_slot_limit_size(slot) + cfi_payload_size(slot->arg_size, slot->result_size);
}

static inline bool cfi_slot_has_block(const cfi_slot *slot) {
    return cfi_slot_payload_size(slot) > CFI_SLOT_INLINE;
}

/* The payload's first byte; base: of the region that holds the slot. */
static inline unsigned char *cfi_slot_payload(cfi_slot *slot, char *base) {
    return cfi_slot_has_block(slot) ? (unsigned char *)base + slot->block : slot->data;
}

/* Where the time lies that one run may take; NULL = it may take any. */
static inline int64_t *cfi_slot_limit(cfi_slot *slot, char *base) {
    return (slot->kind & CFI_LIMITED) != 0 ? (int64_t *)(void *)cfi_slot_payload(slot, base) : NULL;
}

static inline void *cfi_slot_arg(cfi_slot *slot, char *base) {
    return cfi_slot_payload(slot, base) + cfi_slot_limit_size(slot);
}

static inline void *cfi_slot_result(cfi_slot *slot, char *base) {
    return (unsigned char *)cfi_slot_arg(slot, base) + cfi_result_offset(slot->arg_size);
}

#endif
