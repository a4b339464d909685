/* What all executors have in common. Each executor puts it first in a struct of its own.
 *
 * Locks belong to the caller's process. A thread that holds one may take those below it:
 *
 *      join_lock         waiting for the workers to end; held while waiting
 *      attendant->lock   the start of an attendant's thread      (core/attendant.h)
 *      drain_lock         completion stack, watches, callbacks    (waiting/watch.h)
 *      strand->lock      one worker's forked jobs, for thieves   (worker/strand.h)
 *      lock              submission, slabs, arena, task table    (this file)
 *      turn_lock         serial's own: whose turn it is          (executors/serial.c)
 *      list_lock         the threads that wait inside tasks      (waiting/nested.c)
 *      set->lock         one watch set's list of settled slots   (waiting/watch.h)
 *      limits.lock       limits of runs that wait                (worker/limit.h)
 *      events->lock      what an observer is to be told          (queue/events.h)
 *
 *   - A worker's own loop takes none of them, except if the worker is a thread: limits.lock, and
 *     strand->lock and lock when it steals.
 *   - While a task runs, at most join_lock is held, if the thread that joins a serial executor runs
 *     the task.
 *   - A thread that sleeps holds at most join_lock; and `lock`, in the submit that waits for a
 *     pool's first worker. */
#ifndef CFUTURES_CORE_EXECUTOR_H
#define CFUTURES_CORE_EXECUTOR_H

#include "cfutures/core/attendant.h"
#include "cfutures/queue/slab.h"
#include "cfutures/queue/task_table.h"
#include "cfutures/worker/limit.h"

#include "platform/biased_lock.h"
#include "platform/fork_mark.h"
#include "platform/line.h"
#include "platform/lock.h"
#include "platform/own_memory.h"

/* What an executor does itself. All are called in the caller's process. */
typedef struct cfi_executor_ops {
    const char *kind;
    bool is_remote; /* tasks run where the caller's memory is not, and nothing of it is shared */

    /* Starts worker number `worker`, which calls cfi_worker_run. Numbers go up from 0; after a
     * failure the same number is tried again. Under `lock`; may block until the worker exists.
     * NULL: the executor has no workers to start. */
    cf_status (*start_worker)(cf_executor *executor, unsigned worker);

    /* Tasks wait, and as many workers as submit starts have been started, but not max_workers. The
     * executor starts the others, by cfi_executor_add_workers. Under `lock`; must not wait. NULL:
     * submit starts all of them, and the option min_workers is ignored. */
    void (*short_of_workers)(cf_executor *executor);

    /* Has a signal sent to this worker and to the processes that it started. A request for a dead
     * worker is dropped. Under `lock`; must not wait. NULL: the workers are not processes. */
    void (*kill)(cf_executor *executor, unsigned worker, int signal);

    /* A task was published: of several, the last one. No lock of the core held. NULL: the core calls
     * cfi_queue_wake_one. */
    void (*submitted)(cf_executor *executor, cf_future *future);

    /* The arena has grown for another slab. Under `lock`; must not wait. NULL: nothing to do. */
    void (*grown)(cf_executor *executor);

    /* A task has overwritten what workers share: ends all workers and breaks the executor
     * (cfi_executor_break), soon. Any lock may be held; must not wait. NULL: the workers are threads
     * of the caller's process, whose own memory a task may have overwritten as well. */
    void (*damaged)(cf_executor *executor);

    /* No more tasks will come: `stop` is set, and the workers have been woken. Once; no lock of the
     * core held; must not wait. NULL: nothing to do. */
    void (*stop)(cf_executor *executor);

    /* Returns when all workers are gone. Once, after stop, under join_lock. NULL: nothing to do. */
    void (*join)(cf_executor *executor);

    /* Frees the struct and all that the executor owns. Once, after join; none of its locks held. */
    void (*free)(cf_executor *executor);
} cfi_executor_ops;

/* Callbacks to be called, in this order (waiting/callback.h). Under drain_lock, except
 * `outstanding`. */
typedef struct cfi_callback_list {
    cfi_list waiting;           /* to be called */
    _Atomic size_t outstanding; /* added, and their calls have not returned */
    bool busy;                  /* a thread is calling them */
} cfi_callback_list;

/* Slots of one slab that were given up in a row, and that the slab has not counted yet. */
typedef struct cfi_release_batch {
    cfi_slab *slab; /* NULL = none */
    uint32_t count;
} cfi_release_batch;

/* What has happened so far. All but the atomic ones are written and read under the executor's lock.
 * So are the sums over them and the workers' records (core/counts.c). */
typedef struct cfi_counts {
    uint64_t submitted;
    uint64_t again;     /* runs cut short or not begun after all, whose task became pending again */
    uint64_t lost;      /* runs cut short, whose task ended: settled in the worker's place */
    uint64_t timed_out; /* of `lost`: over their time */
    uint64_t broken;    /* pending tasks that ended because the pool broke */
    _Atomic uint64_t cancelled;
    _Atomic uint64_t retries;  /* of tasks, and of items of chunks */
    _Atomic uint64_t observed; /* failures that a caller has asked for */
} cfi_counts;

/* Grouped by who writes, as the control words are (queue/queue.h). The gaps keep the groups apart wherever
 * the struct begins. */
struct cf_executor {
    /* These never change after creation. Workers that are threads read `queue` for each task. */
    const cfi_executor_ops *ops;
    uint64_t fork_mark; /* of the process that made the executor */
    unsigned max_workers;
    unsigned workers_at_once;   /* of these, those that submit starts; the rest when others block */
    unsigned workers_for_forks; /* and those that tasks start which fork */
    size_t max_pending;         /* 0 = no limit */
    bool refuse_when_full;
    cfi_worker_config config;
    cfi_queue queue; /* except `followed`, in a worker process */

    /* Submit writes for each task. */
    char before_lock[PLAT_LINE_PAIR];
    plat_biased_lock lock;
    cfi_arena arena;
    cfi_slabs slabs;
    cfi_release_batch release_batch;
    cfi_task_table tasks;
    _Atomic unsigned started; /* workers */
    _Atomic unsigned workers; /* that, or one more that is being started: in control for workers */
    cf_status refuses;        /* CF_OK while submit is open; else the status that it returns */
    cf_exception why_broken;  /* never changes once `refuses` is CF_EBROKEN */
    _Atomic bool damaged;     /* by a task that wrote to what workers share */
    _Atomic bool stopping;    /* no more tasks will come: workers read control->stop */
    bool dead;                /* broken, and all workers have ended */
    bool cancels;   /* pending tasks are cancelled, also those of workers that die later */
    bool destroyed; /* freed when no slab is in use any more */
    cfi_counts counts;

    /* Workers that are threads write for each task with a time limit. */
    char before_limits[PLAT_LINE_PAIR];
    cfi_limits limits; /* has its own lock; `of` is NULL before the first task with a limit */

    /* Who collects writes for each task that is watched. */
    char before_drain_lock[PLAT_LINE_PAIR];
    plat_biased_lock drain_lock;
    cfi_callback_list callbacks;

    cfi_attendant deadlines;       /* core/deadline.h */
    cfi_attendant callback_thread; /* waiting/callback.h */
    cfi_attendant observing;       /* core/observer.h */

    plat_lock join_lock;
    bool joined;
};

_Static_assert(PLAT_APART(cf_executor, queue, lock), "workers read, submit writes");
_Static_assert(PLAT_APART(cf_executor, counts, limits), "submit writes, workers write");
_Static_assert(PLAT_APART(cf_executor, limits, drain_lock), "workers write, who collects writes");

static inline cf_executor *cfi_executor_of(const cf_future *future) {
    return cfi_slab_of(future)->executor;
}

/* Destroyed, and no slot is held. Read under the lock; the thread that reads true gives the lock
 * and frees the executor. */
static inline bool cfi_executor_is_over(const cf_executor *executor) {
    return executor->destroyed && executor->slabs.in_use == 0;
}

static inline bool cfi_executor_is_foreign(const cf_executor *executor) {
    return !plat_fork_mark_is_ours(executor->fork_mark);
}

/* The future was made by another process, before a fork. Does not read it: the other process may
 * have given its memory back, and this one may have forked after that. */
static inline bool cfi_future_is_foreign(const cf_future *future) {
    return !plat_fork_mark_is_first() && !plat_own_memory_has(future);
}

/* Tasks run on their submitters' threads: the worker has no thread or process of its own. */
static inline bool cfi_executor_is_serial(const cf_executor *executor) {
    return executor->ops->start_worker == NULL;
}

#endif
