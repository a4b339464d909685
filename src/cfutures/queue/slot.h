/* One task: 64 bytes that the caller and the workers share. The caller's half of it is the future
 * (queue/future.h).
 *
 * The word holds the task's state. All its transitions are in this file. In an open slot each is
 * one compare-and-swap (cfi_slot_vacate: an atomic AND).
 *
 *      PENDING ──begin──▶ RUNNING ──settle──▶ FINISHED
 *         │  ▲               │
 *         │  └─────again─────┘ (its worker died)
 *         └──────cancel──────────────────────▶ CANCELLED
 *
 * Begin is the one gate: if a worker and a canceller race for a pending task, the CAS lets one win.
 *
 * Which side writes which field, and when
 *   caller   all fields before the word becomes PENDING, by the release store in cfi_slot_open
 *   worker   detail, outcome and the result, between begin and settle, while the word says RUNNING
 *            with its own number as the owner; the settling CAS publishes them
 *   caller   the same fields, in place of a worker that is known to be dead
 *   deadline thread   CFI_EXPIRED in the word of a run over its time. A process is then killed and
 *            judged like any dead worker. From a thread the task is taken in the same step, by
 *            FINISHED and CFI_OCCUPIED. The thread goes on in the slot, but nothing reads what it
 *            writes, and the slot is not used again before it has left (core/deadline.h)
 *   settler  next_done, if the replaced word has CFI_WATCHED (completion.h)
 *
 * A slow worker may still look at a slot that is in use for another task by now. If that task is
 * PENDING, the worker begins it, as any worker may; if not, its CAS fails.
 *
 * Futexes have 32 bits: threads that wait for one task sleep on the word's low half, which holds
 * the phase. (It comes first in memory: only little-endian machines are supported.) */
#ifndef CFUTURES_SLOT_H
#define CFUTURES_SLOT_H

#include "cfutures/queue/list.h"

#include "platform/assert.h"
#include "platform/atomic.h"

#include <cfutures.h>

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the slot's word assumes a little-endian machine"
#endif

enum {
    CFI_SLOT_INLINE = 32,
    CFI_LIMIT_BYTES = 8
};

/* The bits of `kind`. Submit writes the field as a whole: to change single bits it would have to
 * wait for the slot's cache line, which a worker had last. */
enum {
    CFI_KIND_TASK = 0x0fff,
    CFI_LIMITED = 0x1000,  /* the payload begins with the time limit of a run */
    CFI_UNZEROED = 0x2000, /* the result is not cleared before a run */
    CFI_TIMED = 0x4000,    /* its times are recorded (times.h) */
};

/* A task may write here, by mistake, whatever process runs it. So the caller uses no size and no
 * place that it reads in a slot: it has its own copies. */
typedef struct cfi_slot {
    union {
        _Atomic uint64_t word;
        _Atomic uint32_t futex; /* the low half, for the kernel only */
    };
    uint32_t arg_size;
    uint32_t result_size;
    uint32_t next_done; /* next in the completion stack: index + 1, 0 = none */
    /* CF_OK: bytes of the result; CF_ETASK: the task's error number; CF_EWORKER: wait status of its
     * dead worker */
    int32_t detail;
    uint16_t kind;   /* index into the task table, and the bits above */
    uint8_t outcome; /* a cf_status, once FINISHED */
    union {
        /* The payload if it fits: time limit, argument, result (each 8-aligned). If not, the offset
         * of the block that holds it. */
        _Alignas(8) unsigned char data[CFI_SLOT_INLINE];
        uint64_t block;
    };
} cfi_slot;

_Static_assert(CF_WORKERS_MAX <= 1024, "an owner has 10 bits");
_Static_assert(sizeof(cfi_slot) == 64, "a slot is one cache line");
_Static_assert(offsetof(cfi_slot, data) % 8 == 0, "arguments are aligned to 8 bytes");

/* ---- the word -------------------------------------------------------------------------------- */

typedef enum cfi_phase {
    CFI_CLOSED, /* nothing to run: not used yet, or a slab's header */
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
#define CFI_EXPIRED    UINT64_C(32)  /* the run was over its time: its result does not count */
#define CFI_OCCUPIED   UINT64_C(64)  /* and its thread is still in the slot */
#define CFI_BROKEN     UINT64_C(128) /* FINISHED without a run: the pool was broken */
#define CFI_OWNER      (UINT64_C(1) << 24)
#define CFI_OWNER_MASK (UINT64_C(0x3ff) << 24)
#define CFI_TICK       (UINT64_C(1) << 34)
#define CFI_TICK_MASK  (CFI_TICKS_MAX << 34)
#define CFI_TICKS_MAX  UINT64_C(0x3fff) /* of one run: cfi_slot_tick */
#define CFI_ATTEMPT    UINT64_C(0x100)
#define CFI_ALLOWED    (UINT64_C(1) << 48)

static inline cfi_phase cfi_word_phase(uint64_t word) {
    return (cfi_phase)(word & CFI_PHASE_MASK);
}

static inline bool cfi_word_settled(uint64_t word) {
    return cfi_word_phase(word) >= CFI_FINISHED;
}

/* Settled, and its thread has left: nothing writes to the slot any more. */
static inline bool cfi_word_vacant(uint64_t word) {
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

/* What every word must look like, of whatever slot. If it does not, a task has overwritten it. */
static inline bool cfi_word_is_sound(uint64_t word) {
    const cfi_phase phase = cfi_word_phase(word);
    const bool expired = (word & CFI_EXPIRED) != 0;
    const bool occupied = (word & CFI_OCCUPIED) != 0;
    const bool broken = (word & CFI_BROKEN) != 0;
    if (phase == CFI_CLOSED) {
        return word == CFI_CLOSED;
    }
    if (phase > CFI_CANCELLED || cfi_word_attempts(word) > cfi_word_allowed(word) ||
        cfi_word_allowed(word) == 0) {
        return false;
    }
    if (phase == CFI_PENDING && cfi_word_attempts(word) == cfi_word_allowed(word)) {
        return false;
    }
    if ((phase == CFI_RUNNING || expired) && cfi_word_attempts(word) == 0) {
        return false;
    }
    return (!expired || phase == CFI_RUNNING || phase == CFI_FINISHED) &&
           (!occupied || (phase == CFI_FINISHED && expired)) &&
           (!broken || (phase == CFI_FINISHED && !expired));
}

/* Of an open slot, for the caller: settled, or overwritten, so that nobody will settle it. */
static inline bool cfi_word_is_over(uint64_t word) {
    return cfi_word_settled(word) || word == CFI_CLOSED || !cfi_word_is_sound(word);
}

/* ---- transitions ----------------------------------------------------------------------------- */

/* Caller: a worker may begin the filled-in slot from now on. */
static inline void cfi_slot_open(cfi_slot *slot, unsigned retries) {
    cfi_assert(retries <= CF_RETRIES_MAX);
    cfi_assert(cfi_word_is_over(plat_peek(&slot->word))); /* its last task, if it had one */
    plat_store_release(&slot->word, (uint64_t)(retries + 1) << 48 | CFI_PENDING);
}

/* Worker: opens the filled-in slot with its own run begun. *word: the word. */
static inline void cfi_slot_open_begun(cfi_slot *slot, unsigned worker, uint64_t *word) {
    cfi_assert(cfi_word_is_over(plat_peek(&slot->word)));
    *word = UINT64_C(1) << 48 | CFI_RUNNING | CFI_ATTEMPT | worker * CFI_OWNER;
    cfi_assert(cfi_word_is_sound(*word) && cfi_word_is_run_by(*word, worker));
    plat_store_release(&slot->word, *word);
}

/* Worker: PENDING -> RUNNING. On success *word is the new word. */
static inline bool cfi_slot_begin(cfi_slot *slot, unsigned worker, uint64_t *word) {
    uint64_t seen = plat_load_relaxed(&slot->word);
    while (cfi_word_phase(seen) == CFI_PENDING) {
        cfi_assert(cfi_word_attempts(seen) < cfi_word_allowed(seen));
        uint64_t next = cfi_word_with_phase(seen, CFI_RUNNING) + CFI_ATTEMPT;
        next = (next & ~(CFI_OWNER_MASK | CFI_TICK_MASK)) | worker * CFI_OWNER;
        cfi_assert(cfi_word_is_sound(next) && cfi_word_is_run_by(next, worker));
        if (plat_cas(&slot->word, &seen, next)) {
            *word = next;
            return true;
        }
    }
    return false;
}

/* For assertions: the deadline thread has ended the run, and the worker is still in the slot. Nobody
 * else takes a task from a living worker. */
static inline bool cfi_word_was_taken_from(uint64_t word, unsigned worker) {
    return cfi_word_owner(word) == worker && (word & CFI_EXPIRED) != 0 &&
           (cfi_word_phase(word) == CFI_RUNNING || (word & CFI_OCCUPIED) != 0);
}

/* Worker: its own RUNNING -> FINISHED. late: the worker found that the run was over its time, so
 * CFI_EXPIRED is set. False if the deadline thread declared the run over its time before. *word:
 * the replaced word, for cfi_completion_announce. */
static inline bool cfi_slot_settle(cfi_slot *slot, unsigned worker, bool late, uint64_t *word) {
    *word = plat_load_relaxed(&slot->word);
    while (cfi_word_is_run_by(*word, worker) && (*word & CFI_EXPIRED) == 0) {
        uint64_t next = cfi_word_with_phase(*word, CFI_FINISHED) | (late ? CFI_EXPIRED : 0);
        cfi_assert(cfi_word_is_sound(next));
        if (plat_cas(&slot->word, word, next)) {
            return true;
        }
    }
    cfi_assert(cfi_word_was_taken_from(*word, worker));
    return false;
}

/* Worker: a time limit begins, for the run or for the next item of a chunk. The deadline thread
 * reads the end of a limit and then declares the run by a CAS. In between the worker may have gone
 * on to the next item in the same slot; the changed word makes that CAS fail. False if the run was
 * declared over its time.
 *
 * The tick never comes round. It is 0 when a run begins, and a run has at most CFI_TICKS_MAX limits:
 * batch/pace.c makes no longer chunks. The slot is opened for another task only under the executor's
 * lock, which the deadline thread holds from its read to its CAS. */
static inline bool cfi_slot_tick(cfi_slot *slot, unsigned worker) {
    uint64_t word = plat_load_relaxed(&slot->word);
    while (cfi_word_is_run_by(word, worker) && (word & CFI_EXPIRED) == 0) {
        uint64_t next = word + CFI_TICK;
        cfi_assert((word & CFI_TICK_MASK) != CFI_TICK_MASK);
        cfi_assert(cfi_word_is_sound(next));
        if (plat_cas(&slot->word, &word, next)) {
            return true;
        }
    }
    cfi_assert(cfi_word_was_taken_from(word, worker));
    return false;
}

/* Deadline thread: the run that *word shows is over its time. It becomes FINISHED and occupied, or
 * it stays RUNNING but can no longer be settled. *word: the replaced word. */
static inline bool cfi_slot_expire(cfi_slot *slot, bool finished, uint64_t *word) {
    uint64_t seen = *word;
    while (cfi_word_phase(*word) == CFI_RUNNING && (*word & CFI_EXPIRED) == 0 &&
           ((*word ^ seen) & ~(CFI_WAITED | CFI_WATCHED)) == 0) {
        uint64_t next = *word | CFI_EXPIRED;
        if (finished) {
            next = cfi_word_with_phase(next, CFI_FINISHED) | CFI_OCCUPIED;
        }
        cfi_assert(cfi_word_is_sound(next));
        if (plat_cas(&slot->word, word, next)) {
            return true;
        }
    }
    return false;
}

/* Thread: leaves the slot whose task was taken from it. */
static inline void cfi_slot_vacate(cfi_slot *slot) {
    cfi_assert((plat_peek(&slot->word) & CFI_OCCUPIED) != 0);
    cfi_assert(cfi_word_is_sound(plat_peek(&slot->word)));
    plat_and_release(&slot->word, ~CFI_OCCUPIED);
}

/* In place of a dead worker: RUNNING by `worker` -> FINISHED, or PENDING to be run again. False if
 * the word does not say that this worker runs the task. */
static inline bool cfi_slot_orphan(cfi_slot *slot, unsigned worker, cfi_phase phase,
                                   uint64_t *word) {
    *word = plat_load_relaxed(&slot->word);
    while (cfi_word_is_run_by(*word, worker)) {
        cfi_assert(phase == CFI_FINISHED || phase == CFI_PENDING);
        cfi_assert(cfi_word_is_sound(cfi_word_with_phase(*word, phase)));
        if (plat_cas(&slot->word, word, cfi_word_with_phase(*word, phase))) {
            return true;
        }
    }
    return false;
}

/* Not because of the task: RUNNING by `worker` -> PENDING. A run that may have begun counts, and one more
 * is allowed; else it is as if there had been none. False as above, or if no more can be allowed. */
static inline bool cfi_slot_return(cfi_slot *slot, unsigned worker, bool begun, uint64_t *word) {
    *word = plat_load_relaxed(&slot->word);
    while (cfi_word_is_run_by(*word, worker) && (!begun || cfi_word_allowed(*word) < UINT16_MAX)) {
        uint64_t next = cfi_word_with_phase(*word, CFI_PENDING);
        next = begun ? next + CFI_ALLOWED : next - CFI_ATTEMPT;
        cfi_assert(cfi_word_is_sound(next));
        if (plat_cas(&slot->word, word, next)) {
            return true;
        }
    }
    return false;
}

/* Caller: PENDING -> CANCELLED, or FINISHED if the pool is broken. */
static inline bool cfi_slot_withdraw(cfi_slot *slot, bool broken, uint64_t *word) {
    *word = plat_load_relaxed(&slot->word);
    while (cfi_word_phase(*word) == CFI_PENDING && cfi_word_is_sound(*word)) {
        uint64_t next = broken ? cfi_word_with_phase(*word, CFI_FINISHED) | CFI_BROKEN
                               : cfi_word_with_phase(*word, CFI_CANCELLED);
        cfi_assert(cfi_word_is_sound(next));
        if (plat_cas(&slot->word, word, next)) {
            return true;
        }
    }
    return false;
}

/* Caller, all workers being dead: the task ends with the pool, whatever the word says. False if it
 * had ended before. */
static inline bool cfi_slot_condemn(cfi_slot *slot, uint64_t *word) {
    *word = plat_load_acquire(&slot->word);
    while (!cfi_word_settled(*word) || !cfi_word_is_sound(*word)) {
        uint64_t next = CFI_FINISHED | CFI_BROKEN | UINT64_C(1) << 48;
        cfi_assert(cfi_word_is_sound(next) && cfi_word_vacant(next));
        if (plat_cas(&slot->word, word, next)) {
            return true;
        }
    }
    return false;
}

/* Caller: asks the settler to wake or announce. False if the task is over; *word was then read
 * with acquire, so the result may be read. *word: the word as it is now. */
static inline bool cfi_slot_flag(cfi_slot *slot, uint64_t flag, uint64_t *word) {
    *word = plat_load_acquire(&slot->word);
    cfi_assert(flag == CFI_WAITED || flag == CFI_WATCHED);
    while (!cfi_word_is_over(*word)) {
        if ((*word & flag) != 0 || plat_cas(&slot->word, word, *word | flag)) {
            *word |= flag;
            return true;
        }
    }
    return false;
}

/* ---- payload, as the worker finds it --------------------------------------------------------- */

static inline size_t cfi_result_offset(size_t arg_size) {
    return (arg_size + 7) & ~(size_t)7;
}

static inline size_t cfi_payload_size(size_t arg_size, size_t result_size) {
    return cfi_result_offset(arg_size) + result_size;
}

static inline size_t cfi_limit_size(unsigned kind) {
    return (kind & CFI_LIMITED) != 0 ? CFI_LIMIT_BYTES : 0;
}

/* The payload's first byte. base: start of the region that holds the slot. */
static inline unsigned char *cfi_slot_payload(cfi_slot *slot, char *base) {
    size_t size = cfi_limit_size(slot->kind) + cfi_payload_size(slot->arg_size, slot->result_size);
    return size > CFI_SLOT_INLINE ? (unsigned char *)base + slot->block : slot->data;
}

/* The time limit of one run; NULL = none. */
static inline int64_t *cfi_slot_limit(cfi_slot *slot, char *base) {
    return (slot->kind & CFI_LIMITED) != 0 ? (int64_t *)(void *)cfi_slot_payload(slot, base) : NULL;
}

static inline void *cfi_slot_arg(cfi_slot *slot, char *base) {
    return cfi_slot_payload(slot, base) + cfi_limit_size(slot->kind);
}

static inline void *cfi_slot_result(cfi_slot *slot, char *base) {
    return (unsigned char *)cfi_slot_arg(slot, base) + cfi_result_offset(slot->arg_size);
}

#endif
