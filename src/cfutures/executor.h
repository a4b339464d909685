/* What all executors have in common; each puts it first in a struct of its own.
 *
 * Locks of the caller's process, in the order in which they may be held together:
 *
 *      join_lock   who waits for the workers to go; held while waiting, so nothing else takes it
 *      run_lock    serial's own: one task at a time              (serial.c)
 *      reap_lock   completion stack, watches                     (watch.h)
 *      lock        submission, slabs, arena, task table, life    (this file)
 *      set->lock   one watch set's list of what is done          (watch.h)
 *
 * No lock is held by any worker at any time. While a task runs only serial's run_lock is. While the
 * holder waits, only join_lock is, and `lock` in the submit that awaits a pool's first worker. */
#ifndef CFUTURES_EXECUTOR_H
#define CFUTURES_EXECUTOR_H

#include "cfutures/slab.h"
#include "cfutures/task_table.h"

#include "platform/lock.h"

/* What an executor does itself. All are called in the caller's process. */
typedef struct cfi_executor_ops {
    const char *kind;

    /* Starts worker number `worker`, which calls cfi_worker_run. Once for each number, from 0 up;
     * under `lock`; may block as long as making a thread does. NULL: the executor has no workers to
     * start. */
    cf_status (*start_worker)(cf_executor *executor, unsigned worker);

    /* A task was published. No lock held. NULL: cfi_queue_wake_one is all there is to do. */
    void (*submitted)(cf_executor *executor, cfi_slot *slot);

    /* No more tasks will come: `stop` is set and the workers are awake. Once, no lock held, must
     * not wait. NULL: nothing to do. */
    void (*stop)(cf_executor *executor);

    /* Returns when all workers are gone. Once, after stop, under join_lock. NULL: nothing to do. */
    void (*join)(cf_executor *executor);

    /* Frees the struct and what is the executor's own. Once, after join, no lock held. */
    void (*free)(cf_executor *executor);
} cfi_executor_ops;

struct cf_executor {
    const cfi_executor_ops *ops;
    uint64_t fork_mark; /* of the process that made it */
    unsigned max_workers;
    cfi_queue queue; /* never changes after creation (but for `followed`, in a worker process) */

    cfi_lock lock;
    cfi_arena arena;
    cfi_slabs slabs;
    cfi_task_table tasks;
    unsigned started;  /* workers */
    cf_status refuses; /* CF_OK while submit is open; else what it says */
    bool cancels;      /* pending tasks are cancelled, also those of workers that die yet */
    bool destroyed;    /* to be freed with the last slab in use */
    uint64_t submitted;
    _Atomic uint64_t cancelled;
    _Atomic uint64_t lost; /* settled in place of their worker: CF_EWORKER or CF_EBROKEN */
    _Atomic uint64_t retries;

    cfi_lock reap_lock;

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

/* cf_executor_submit_with for arguments that were checked, without the limit on their size. */
cf_status cfi_executor_submit(cf_executor *executor, const cf_task *task, const void *arg,
                              unsigned retries, cf_future **future);

/* What kind of task the slot holds; lasts as long as the executor. */
const cfi_task_entry *cfi_executor_task_of(cf_executor *executor, const cfi_slot *slot);

/* References to a slot; the last one gives it up, and may free a destroyed executor. */
void cfi_slot_retain(cfi_slot *slot);
void cfi_slot_release(cfi_slot *slot);
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

#endif
