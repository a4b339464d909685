/* The one way into the queue, in three steps under the executor's lock:
 *
 *      reserve   room among the pending tasks, a first worker, the task's entry in the task table,
 *                the slot, memory for its payload: all that can fail
 *      fill      what the slot or its block holds
 *      publish   the workers see the task; cannot fail
 *
 * The lock stays taken from reserve to publish, so no other submitter can take what was reserved.
 * If a caller gives up something for the new task (items that it takes back from a running chunk),
 * it does so between the two. */
#ifndef CFUTURES_SUBMISSION_H
#define CFUTURES_SUBMISSION_H

#include "cfutures/core/executor.h"

/* What is to be submitted. The arguments were checked. */
typedef struct cfi_submission {
    const cf_task *task;
    const void *arg; /* publish copies it in; NULL with a block */
    uint64_t block; /* 0, or a block from cfi_executor_take_block. It holds the argument and, for an
                        unzeroed task, what the result is to hold at first. Publish gives it to the
                        task */
    unsigned retries;
    int64_t timeout_ns; /* of a run; <= 0 = none. A block then begins with CFI_LIMIT_BYTES for it */
    int64_t until_ns;   /* waits for room until then; -1 = forever, 0 = does not wait */
} cfi_submission;

/* CF_OK: takes the lock and keeps it until publish or abandon. Else the lock is free again. While
 * reserve waits for room, it gives the lock and takes it again. Inside a task of the same executor
 * it does not wait but returns CF_EFULL: that task's worker may be the one that must make room. */
cf_status cfi_submission_reserve(cf_executor *executor, const cfi_submission *submission,
                                 cf_future **future);

/* After reserve. Gives the lock and wakes a worker. The caller owns the future. */
void cfi_submission_publish(cf_executor *executor, const cfi_submission *submission,
                            cf_future *future);

/* After reserve, for a submission with a block. Gives the lock; the block stays the caller's. */
void cfi_submission_abandon(cf_executor *executor, cf_future *future);

/* Reserve, and publish at once. future: NULL = the caller wants none. */
cf_status cfi_submission_submit(cf_executor *executor, const cfi_submission *submission,
                                cf_future **future);

/* The same for up to `count` submissions that differ only in their arguments. These lie one after
 * the other from `arg` on; futures may be NULL. Returns how many were published. They may be fewer
 * than `count` with CF_OK, so that other threads get a turn at the lock. */
size_t cfi_submission_submit_batch(cf_executor *executor, cfi_submission submission, size_t count,
                                   cf_future **futures, cf_status *status);

/* Starts up to `count` workers beyond those that submit starts (cfi_executor_ops.short_of_workers):
 * no more than there are tasks that no worker is free for, none in a broken executor, and fewer if
 * the system refuses them. Also after shutdown: so join must not have begun to count them. Returns
 * how many it has started. */
unsigned cfi_executor_add_workers(cf_executor *executor, unsigned count);

/* Starts all workers that are not started yet, up to one that the system refuses: others are gone for
 * good. */
void cfi_executor_start_all(cf_executor *executor);

/* A block for a payload that does not fit a slot. The caller fills it without a lock: the argument
 * at its start (queue.base + block), the result at cfi_result_offset(arg_size). 0: no memory. */
uint64_t cfi_executor_take_block(cf_executor *executor, size_t arg_size, size_t result_size);
void cfi_executor_give_block(cf_executor *executor, uint64_t block, size_t arg_size,
                             size_t result_size);

/* What kind of task it is. The entry lasts as long as the executor. */
const cfi_task_entry *cfi_executor_task_of(cf_executor *executor, const cf_future *future);

/* PENDING -> CANCELLED; announces that to the threads that wait. True if the task is cancelled, now
 * or before. */
bool cfi_executor_cancel(cf_executor *executor, cf_future *future);

/* Reserves, fills and publishes a task that the calling worker has begun already. parent: the slot of the
 * task from which the worker has taken it. The caller owns *future. */
cf_status cfi_submission_begin(cf_executor *executor, const cfi_submission *submission,
                               const cfi_slot *parent, unsigned worker, cf_future **future,
                               uint64_t *word);

/* One more, up to executor->workers_for_forks. */
void cfi_submission_start_worker(cf_executor *executor);

/* The task that runs in the slot is the ancestor, or descends from it (queue/slab.h). ancestor: NULL =
 * from any. */
bool cfi_submission_descends(cf_executor *executor, const cfi_slot *slot,
                             const cf_future *ancestor);

#endif
