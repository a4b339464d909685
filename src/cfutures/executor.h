/* What the core offers to the executors (src/executors): creation, and what becomes of dead workers. */
#ifndef CFUTURES_EXECUTOR_H
#define CFUTURES_EXECUTOR_H

#include "cfutures/core/executor.h"

/* Allocates `size` bytes, zeroed but for the cf_executor at their start, which is ready for use.
 * Checks the caller's options and pointer. On failure nothing is left to undo, and *executor is
 * NULL. */
cf_status cfi_executor_create(size_t size, const cfi_executor_ops *ops,
                              const cf_pool_options *options, bool shared, cf_executor **executor);

/* Undoes create: the last thing that ops->free does. */
void cfi_executor_free(cf_executor *executor);

/* ---- workers that can die (worker_death.c) ---------------------------------------------------- */

/* Worker `worker` is dead, wait_status as from wait(2): settles what it left behind. Its task is
 * run again or fails; waiters are woken; its record is clean for a successor. No lock held. */
void cfi_executor_worker_died(cf_executor *executor, unsigned worker, int wait_status);

/* All workers are dead and none will come: submit refuses, all unsettled tasks fail with
 * CF_EBROKEN. No lock held. */
void cfi_executor_break(cf_executor *executor);

/* ---- workers whose initializer can fail (worker_death.c) --------------------------------------- */

/* A worker's initializer failed, or it died in it: submit refuses, pending tasks fail with
 * CF_EBROKEN and this reason, running ones are finished, then the workers end. No lock held. */
void cfi_executor_unfit(cf_executor *executor, unsigned worker, int wait_status);

#endif
