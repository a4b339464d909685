/* What every worker does, thread or process: claim, run, settle, sleep.
 *
 *   - A worker process takes no lock and touches nothing but the shared region. So it can be killed
 *     at any instruction.
 *   - A worker thread takes one lock, that of its time limits (worker/limit.h).
 *   - What its kind of executor has to add comes in as hooks (worker/scope.h).
 *   - A C++ exception may leave a task that runs on a caller's thread; pthread_exit may leave any
 *     task. The run is then settled on the way: the task has failed with ECANCELED. */
#ifndef CFUTURES_WORKER_H
#define CFUTURES_WORKER_H

#include "cfutures/worker/scope.h"

typedef enum cfi_worker_end {
    CFI_WORKER_DONE,        /* the executor is stopped and no work is left */
    CFI_WORKER_RETIRED,     /* it has run as many tasks as it may: a successor goes on */
    CFI_WORKER_INIT_FAILED, /* its initializer failed: record.init_error */
} cfi_worker_end;

/* A whole life, from initializer to finalizer. */
cfi_worker_end cfi_worker_run(cfi_worker *worker);

/* The parts of a life, for an executor whose workers have no loop. begin: false if the initializer
 * failed. execute: runs a slot that this worker has begun; word: as cfi_slot_begin left it. */
bool cfi_worker_begin(cfi_worker *worker);
void cfi_worker_execute(const cfi_worker *worker, cfi_slot *slot, uint64_t word);
void cfi_worker_finish(const cfi_worker *worker);

/* execute, on a thread that is not in the worker's loop, or that runs a task on top of another. */
void cfi_worker_execute_in_scope(const cfi_worker *worker, cfi_slot *slot, uint64_t word);

#endif
