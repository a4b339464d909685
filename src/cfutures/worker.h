/* What every worker does, be it a thread or a process: claim, run, settle, sleep.
 *
 * A worker holds no lock at any time and touches nothing but the shared region, so it can be killed
 * at any instruction. It calls no code of the executor that started it. */
#ifndef CFUTURES_WORKER_H
#define CFUTURES_WORKER_H

#include "cfutures/queue.h"

struct cf_task_context {
    unsigned worker;
    unsigned attempt;
};

/* after_task: called when a task is done and before the caller is told (a process flushes what the
 * task printed); NULL = nothing. Returns when the executor is stopped and no work is left. */
void cfi_worker_run(cfi_queue *queue, unsigned worker, void (*after_task)(void));

/* Says of the calling thread that it is a worker of this queue until it leaves. Scopes nest: a task
 * may run another one, of a serial executor say. */
typedef struct cfi_worker_scope {
    const cfi_queue *queue;
    const struct cfi_worker_scope *outer;
} cfi_worker_scope;

void cfi_worker_enter(cfi_worker_scope *scope, const cfi_queue *queue);
void cfi_worker_leave(const cfi_worker_scope *scope);
bool cfi_worker_is_of(const cfi_queue *queue);

/* Runs one slot that this worker has begun; word: as cfi_slot_begin left it. */
void cfi_worker_execute(cfi_queue *queue, cfi_slot *slot, uint64_t word, void (*after_task)(void));

#endif
