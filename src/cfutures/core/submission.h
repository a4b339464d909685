/* The one way into the queue, in three steps under the executor's lock:
 *
 *      reserve   room among the pending tasks, a first worker, the task's entry in the task table,
 *                the slot, memory for its payload: all that can fail
 *      fill      what the slot or its block holds
 *      publish   the workers see the task; cannot fail
 *
 * Between reserve and publish the lock stays taken, so nothing that was reserved can be lost to
 * another submitter. What a caller gives up for the new task (items that it takes back from a
 * running chunk) it gives up between the two. */
#ifndef CFUTURES_SUBMISSION_H
#define CFUTURES_SUBMISSION_H

#include "cfutures/core/executor.h"

/* What there is to submit; its arguments were checked. */
typedef struct cfi_submission {
    const cf_task *task;
    const void *arg; /* copied in by publish; NULL with a block */
    uint64_t block;  /* 0, or a block from cfi_executor_take_block that holds the argument, and what
                           the result is to hold at first for an unzeroed task. Publish gives it to the
                           task */
    unsigned retries;
    int64_t
        timeout_ns;   /* of a run; <= 0 = none. Not with a block, but where the limit lies in it */
    int64_t until_ns; /* how long to wait for room: until then, -1 = forever, 0 = not at all */
} cfi_submission;

/* CF_OK: takes the lock and keeps it until publish or abandon. Else the lock is free again. While it
 * waits for room, it gives the lock and takes it again. Inside a task of the same executor it does
 * not wait: that task's worker may be the one that has to make room. */
cf_status cfi_submission_reserve(cf_executor *executor, const cfi_submission *submission,
                                 cfi_slot **slot);

/* After reserve. Gives the lock and wakes a worker. The slot is the task's future, and the
 * caller's. */
void cfi_submission_publish(cf_executor *executor, const cfi_submission *submission,
                            cfi_slot *slot);

/* After reserve, of a submission with a block: gives the lock; the block stays the caller's. */
void cfi_submission_abandon(cf_executor *executor);

/* Reserve, and publish at once. */
cf_status cfi_submission_submit(cf_executor *executor, const cfi_submission *submission,
                                cf_future **future);

/* The same for up to `count` submissions that differ in their arguments alone, which lie one after
 * the other from `arg` on; futures may be NULL. Returns how many were published: fewer than `count`
 * with CF_OK when others had a turn at the lock. */
size_t cfi_submission_submit_batch(cf_executor *executor, cfi_submission submission, size_t count,
                                   cf_future **futures, cf_status *status);

/* A block for a payload that does not fit a slot, to be filled in without a lock: the argument at
 * its start (queue.base + block), the result at cfi_result_offset(arg_size). 0: no memory. */
uint64_t cfi_executor_take_block(cf_executor *executor, size_t arg_size, size_t result_size);
void cfi_executor_give_block(cf_executor *executor, uint64_t block, size_t arg_size,
                             size_t result_size);

/* What kind of task the slot holds; lasts as long as the executor. */
const cfi_task_entry *cfi_executor_task_of(cf_executor *executor, const cfi_slot *slot);

/* PENDING -> CANCELLED, and tells the threads that wait. True when the task is cancelled, now or
 * before. */
bool cfi_executor_cancel(cf_executor *executor, cfi_slot *slot);

#endif
