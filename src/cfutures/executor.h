/* What the core offers to the executors (src/executors): creation, and the judging of the dead. */
#ifndef CFUTURES_EXECUTOR_H
#define CFUTURES_EXECUTOR_H

#include "cfutures/core/executor.h"

/* Allocates `size` bytes: a cf_executor that is ready for use, then zeros. Checks the user's
 * options and pointer. On failure nothing is left to undo, and *executor is NULL. */
cf_status cfi_executor_create(size_t size, const cfi_executor_ops *ops,
                              const cf_pool_options *options, bool shared, cf_executor **executor);

/* Undoes create. ops->free calls it last. */
void cfi_executor_free(cf_executor *executor);

/* ---- workers that can die (worker_death.c) --------------------------------------------------- */

/* Worker `worker` is dead, with a wait_status as from wait(2). Its task is run again or fails,
 * threads that wait are woken, and its record is clean for a successor. No lock held. */
void cfi_executor_worker_died(cf_executor *executor, unsigned worker, int wait_status);

/* Why a remote worker did not end a run. */
typedef enum cfi_cut {
    CFI_CUT_DIED,     /* the task's own worker died: runs again if it has retries left */
    CFI_CUT_UNBEGUN,  /* the task has not begun after all: is pending as before */
    CFI_CUT_RETURNED, /* not because of the task: runs again in any case */
    CFI_CUT_FINAL,    /* likewise, but it may not run again */
} cfi_cut;

/* The run of the slot with this index has ended so. Called by the one thread that begins and settles
 * tasks for the worker. True: the task is pending again, or was cancelled, or has ended with the pool.
 * False: it has ended with CF_EWORKER. No lock held. */
bool cfi_executor_run_cut(cf_executor *executor, unsigned worker, uint32_t index, cfi_cut cut,
                          int wait_status);

/* All workers are dead and none will be started: submit refuses, and all unsettled tasks fail with
 * CF_EBROKEN. fork_error: errno of fork if that is why; else 0. No lock held. */
void cfi_executor_break(cf_executor *executor, int fork_error);

/* ---- workers whose initializer can fail (worker_death.c) ------------------------------------- */

/* A worker's initializer failed, or the worker died in it. Submit refuses, and pending tasks fail
 * with CF_EBROKEN and this reason. Running tasks are finished, then the workers end. No lock
 * held. */
void cfi_executor_init_failed(cf_executor *executor, unsigned worker, int wait_status);

/* Likewise: workers die and none begins a task, the last one with this wait_status. Or the system
 * refuses a worker's new thread. */
void cfi_executor_all_fruitless(cf_executor *executor, int wait_status);

#endif
