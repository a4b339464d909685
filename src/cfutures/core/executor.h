/* What all executors have in common; each puts it first in a struct of its own.
 *
 * Locks of the caller's process, in the order in which they may be held together:
 *
 *      join_lock   who waits for the workers to go; held while waiting, so nothing else takes it
 *      attendant->lock   the start of a thread of ours           (attendant.h)
 *      run_lock    serial's own: one task at a time              (serial.c)
 *      reap_lock   completion stack, watches                     (watch.h)
 *      lock        submission, slabs, arena, task table, life    (this file)
 *      set->lock   one watch set's list of what is done          (watch.h)
 *
 * The list of those who wait inside tasks has one of its own, before set->lock (nested.c).
 *
 * No lock is held by any worker while it works. While a task runs only serial's run_lock is. While
 * the holder waits, only join_lock is, and `lock` in the submit that awaits a pool's first worker.
 * */
#ifndef CFUTURES_EXECUTOR_H
#define CFUTURES_EXECUTOR_H

#include "cfutures/core/attendant.h"
#include "cfutures/queue/slab.h"
#include "cfutures/queue/task_table.h"
#include "cfutures/worker/worker.h"

#include "platform/biased_lock.h"
#include "platform/lock.h"

/* What an executor does itself. All are called in the caller's process. */
typedef struct cfi_executor_ops {
    const char *kind;

    /* Starts worker number `worker`, which calls cfi_worker_run. Once for each number, from 0 up;
     * under `lock`; may block as long as making a thread does. NULL: the executor has no workers to
     * start. */
    cf_status (*start_worker)(cf_executor *executor, unsigned worker);

    /* Has a signal sent to this worker and the processes that it started: now, or when it is dead
     * never. Under `lock`, must not wait. NULL: the workers are no processes. */
    void (*kill)(cf_executor *executor, unsigned worker, int signal);

    /* A task was published. No lock held. NULL: cfi_queue_wake_one is all there is to do. */
    void (*submitted)(cf_executor *executor, cfi_slot *slot);

    /* The arena has grown by more slabs. Under `lock`, must not wait. NULL: nothing to do. */
    void (*grown)(cf_executor *executor);

    /* No more tasks will come: `stop` is set and the workers are awake. Once, no lock held, must
     * not wait. NULL: nothing to do. */
    void (*stop)(cf_executor *executor);

    /* Returns when all workers are gone. Once, after stop, under join_lock. NULL: nothing to do. */
    void (*join)(cf_executor *executor);

    /* Frees the struct and what is the executor's own. Once, after join, no lock held. */
    void (*free)(cf_executor *executor);
} cfi_executor_ops;

/* What the deadline thread knows of a worker; under `lock`. */
typedef struct cfi_worker_limits {
    int64_t ended_ns;       /* end of the last run that it declared over its time */
    cfi_outer_limit *outer; /* limits of those that wait, innermost first */
} cfi_worker_limits;

/* What is to be called, in turn (callback.h); under reap_lock but for `outstanding`. */
typedef struct cfi_callback_list {
    struct cfi_callback *first, *last;
    _Atomic size_t outstanding; /* added and not yet returned from */
    bool busy;                  /* a thread is calling */
} cfi_callback_list;

/* Slots of one slab that were given up one after the other, and that it does not count yet. */
typedef struct cfi_row {
    cfi_slab *slab; /* NULL = none */
    uint32_t count;
} cfi_row;

struct cf_executor {
    /* what never changes after creation */
    const cfi_executor_ops *ops;
    uint64_t fork_mark; /* of the process that made it */
    unsigned max_workers;
    size_t max_pending; /* 0 = any number */
    bool refuse_when_full;
    cfi_worker_life life;
    cfi_queue queue; /* (but for `followed`, in a worker process) */

    cfi_biased_lock lock;
    cfi_arena arena;
    cfi_slabs slabs;
    cfi_row row;
    cfi_task_table tasks;
    _Atomic unsigned started;  /* workers */
    cf_status refuses;         /* CF_OK while submit is open; else what it says */
    cf_exception why_broken;   /* never changes once `refuses` is CF_EBROKEN */
    bool dead;                 /* broken, and all workers with it */
    cfi_worker_limits *limits; /* by worker; NULL before the first task with a limit */
    bool cancels;              /* pending tasks are cancelled, also those of workers that die yet */
    bool destroyed;            /* to be freed with the last slab in use */
    uint64_t submitted;
    _Atomic uint64_t cancelled;
    _Atomic uint64_t lost;      /* settled in place of their worker, */
    _Atomic uint64_t timed_out; /* of these because of their time */
    _Atomic uint64_t occupied;  /* of these while their thread is still at it, and in `running` */
    _Atomic uint64_t seen;      /* failures that somebody has asked for */
    _Atomic uint64_t retries;

    cfi_biased_lock reap_lock;
    cfi_callback_list callbacks;

    cfi_attendant deadlines;       /* deadline.h */
    cfi_attendant callback_thread; /* callback.h */

    cfi_lock join_lock;
    bool joined;
};

/* Allocates `size` bytes, zeroed but for the cf_executor at their start, which is ready for use.
 * Checks the caller's options and pointer. On failure nothing is left to undo, and *executor is
 * NULL. */
cf_status cfi_executor_create(size_t size, const cfi_executor_ops *ops,
                              const cf_pool_options *options, bool shared, cf_executor **executor);
/* Undoes create: the last thing that ops->free does. */
void cfi_executor_free(cf_executor *executor);

static inline cf_executor *cfi_executor_of(const cfi_slot *slot) {
    return cfi_slab_of(slot)->executor;
}

/* What there is to submit; its arguments were checked. */
typedef struct cfi_submission {
    const cf_task *task;
    const void *arg; /* copied in; NULL with a block */
    uint64_t block; /* 0, or one taken with the function below that holds the argument (and what the
                           result is to hold at first, for an unzeroed task); belongs to the task
                           after CF_OK */
    unsigned retries;
    int64_t timeout_ns; /* of a run, <= 0 = none. Not with a block */
    int64_t until_ns;   /* waits until then for room, where there is a bound: -1 = for ever, 0 = not
                           at all */
} cfi_submission;

cf_status cfi_executor_submit(cf_executor *executor, const cfi_submission *submission,
                              cf_future **future);

/* The same, with a block, once nothing more can go wrong (not waiting for room): then `prepare` is
 * called, under the lock, and may fill the block, or say that the task is not to be. CF_ELATER: it
 * did. */
cf_status cfi_executor_submit_prepared(cf_executor *executor, const cfi_submission *submission,
                                       bool (*prepare)(void *context), void *context,
                                       cf_future **future);

/* A block for a payload that does not fit a slot, to be filled in without a lock: the argument at
 * its start (queue.base + block), the result at cfi_result_offset(arg_size). 0: no memory. */
uint64_t cfi_executor_take_block(cf_executor *executor, size_t arg_size, size_t result_size);
void cfi_executor_give_block(cf_executor *executor, uint64_t block, size_t arg_size,
                             size_t result_size);

/* Not begun. Under the lock. */
uint64_t cfi_executor_pending(cf_executor *executor);

/* What kind of task the slot holds; lasts as long as the executor. */
const cfi_task_entry *cfi_executor_task_of(cf_executor *executor, const cfi_slot *slot);

/* References to a slot; the last one gives it up, and may free a destroyed executor. */
void cfi_slot_retain(cfi_slot *slot);
void cfi_slot_release(cfi_slot *slot);
/* Counts the executor's row. Under the lock. */
void cfi_row_end(cf_executor *executor);
/* Undoes cfi_slab_pin, and may free a destroyed executor too. */
void cfi_slab_unpin(cfi_slab *slab);
/* Destroyed, and no slot of it is held: whoever finds it so under the lock frees it without. */
bool cfi_executor_is_over(const cf_executor *executor);

/* PENDING -> CANCELLED, and tells who waits. True when the task is cancelled, now or before. */
bool cfi_executor_cancel(cf_executor *executor, cfi_slot *slot);

/* ---- for executors whose workers can die ----------------------------------------------------- */

/* Worker `worker` is dead, wait_status as from wait(2): settles what it left behind. Its task is
 * run again or fails; waiters are woken; its record is clean for a successor. No lock held. */
void cfi_executor_worker_died(cf_executor *executor, unsigned worker, int wait_status);

/* All workers are dead and none will come: submit refuses, all unsettled tasks fail with
 * CF_EBROKEN. No lock held. */
void cfi_executor_break(cf_executor *executor);

/* ---- for executors with workers of their own ------------------------------------------------- */

/* A worker's initializer failed, or it died in it: submit refuses, pending tasks fail with
 * CF_EBROKEN and this reason, running ones are finished, then the workers end. No lock held. */
void cfi_executor_unfit(cf_executor *executor, unsigned worker, int wait_status);

#endif
