/* A run under a time limit, on the worker's side. The deadline thread (core/deadline.h) declares
 * runs over their time; that file says why no deadline is lost. Limits count in program time
 * (queue/program_time.h).
 *
 * A worker's record shows one limited run. A task that waits for another one of its own executor
 * may run that one on top of itself:
 *
 *   - The record then shows the inner run. The outer run's limit lies in a list until the inner run
 *     has ended.
 *   - Only threads nest so: a process's task cannot use its own executor.
 *   - The list has a lock of its own, so that a worker takes no lock of the executor. */
#ifndef CFUTURES_LIMIT_H
#define CFUTURES_LIMIT_H

#include "cfutures/worker/context.h"

#include "platform/lock.h"

/* What the deadline thread and one worker thread share. */
typedef struct cfi_worker_limit {
    int64_t ended_ns;       /* end of the run that was last declared over its time */
    cfi_outer_limit *outer; /* limits of runs that wait, innermost first */
} cfi_worker_limit;

typedef struct cfi_limits {
    plat_lock lock;       /* of what each of `of` holds; the last lock in the order */
    cfi_worker_limit *of; /* by worker; set before the first task with a limit is published */
} cfi_limits;

/* begin starts the clock. False: the run was declared over its time already (an item of a chunk may
 * find that). end stops the clock. False: the run was late; its result must not be used. */
bool cfi_limit_begin(cf_task_context *ctx, int64_t timeout_ns);
bool cfi_limit_end(cf_task_context *ctx);

/* The two steps of begin, for the items of a chunk. renew: from here on the limit before cannot end
 * the run; false if it has. show: from here on this limit can. What is noted between the two is seen
 * by a caller that finds the run over its time. */
bool cfi_limit_renew(const cf_task_context *ctx);
void cfi_limit_show(cf_task_context *ctx, int64_t timeout_ns);

#endif
