/* What all executors have in common. Each executor puts it first in a struct of its own.
 *
 * Locks belong to the caller's process. A thread that holds one may take those below it:
 *
 *      join_lock         waiting for the workers to end; held while waiting
 *      attendant->lock   the start of a thread of ours           (core/attendant.h)
 *      run_lock          serial's own: one task at a time        (executors/serial.c)
 *      reap_lock         completion stack, watches, callbacks    (waiting/watch.h)
 *      lock              submission, slabs, arena, task table    (this file)
 *      list_lock         the threads that wait inside tasks      (waiting/nested.c)
 *      set->lock         one watch set's list of what is done    (waiting/watch.h)
 *      limits.lock       limits of runs that wait                (worker/limit.h)
 *
 * A worker takes none of them while it works, but limits.lock on a thread. While a task runs,
 * serial's run_lock is held and no other. While a thread sleeps, it holds at most join_lock, and
 * `lock` in the submit that awaits a pool's first worker. */
#ifndef CFUTURES_CORE_EXECUTOR_H
#define CFUTURES_CORE_EXECUTOR_H

#include "cfutures/core/attendant.h"
#include "cfutures/queue/slab.h"
#include "cfutures/queue/task_table.h"
#include "cfutures/worker/limit.h"

#include "platform/biased_lock.h"
#include "platform/fork_mark.h"
#include "platform/lock.h"
#include "platform/own_memory.h"

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

/* What was done so far. All but the atomic ones are written and read under the executor's lock, and
 * so are the sums over them and the workers' records: core/counts.c. */
typedef struct cfi_counts {
    uint64_t submitted;
    uint64_t again; /* runs cut short whose task became pending again */
    uint64_t lost;  /* runs cut short whose task ended with that: settled in the worker's place */
    uint64_t timed_out; /* of `lost`, because of their time */
    uint64_t broken;    /* pending tasks that ended with the pool */
    _Atomic uint64_t cancelled;
    _Atomic uint64_t retries; /* of tasks, and of items of chunks */
    _Atomic uint64_t seen;    /* failures that somebody has asked for */
} cfi_counts;

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
    _Atomic unsigned started; /* workers */
    cf_status refuses;        /* CF_OK while submit is open; else what it says */
    cf_exception why_broken;  /* never changes once `refuses` is CF_EBROKEN */
    bool dead;                /* broken, and all workers with it */
    bool cancels;             /* pending tasks are cancelled, also those of workers that die yet */
    bool destroyed;           /* to be freed with the last slab in use */
    cfi_counts counts;

    cfi_limits limits; /* its lock is its own; `of` is NULL before the first task with a limit */

    cfi_biased_lock reap_lock;
    cfi_callback_list callbacks;

    cfi_attendant deadlines;       /* deadline.h */
    cfi_attendant callback_thread; /* callback.h */

    cfi_lock join_lock;
    bool joined;
};

static inline cf_executor *cfi_executor_of(const cfi_slot *slot) {
    return cfi_slab_of(slot)->executor;
}

/* Destroyed, and no slot of it is held: who finds it so under the lock frees it without. */
static inline bool cfi_executor_is_over(const cf_executor *executor) {
    return executor->destroyed && executor->slabs.in_use == 0;
}

static inline bool cfi_executor_is_foreign(const cf_executor *executor) {
    return !cfi_fork_mark_is_ours(executor->fork_mark);
}

/* The slot was made by another process, before a fork. Asks without reading the slot: in shared
 * memory it may be gone. */
static inline bool cfi_slot_is_foreign(const cfi_slot *slot) {
    return !cfi_fork_mark_is_first() && !cfi_own_memory_has(slot);
}

/* Its workers have no thread or process of their own: each task runs on its submitter's thread. */
static inline bool cfi_executor_is_serial(const cf_executor *executor) {
    return executor->ops->start_worker == NULL;
}

#endif
