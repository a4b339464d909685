/* Starts a thread pool's workers beyond cf_pool_options.min_workers.
 *
 * A worker that waits for something needs no processor, so another one can run a task meanwhile. But a
 * thread costs: its start, its initializer, turns at the processors. So submit starts only
 * executor->workers_at_once. A thread of this file, `cf-growth`, looks at them while tasks wait, and
 * starts others if too few of them run.
 *
 *      submitter, under executor->lock             cf-growth
 *      publishes a task                            listens (heavy)
 *      not all workers are started?                does a task wait? then it looks at the workers
 *      then starts cf-growth, or rings it          sleeps until the next look, or until it is rung
 *
 * The looks
 *   - The first one is LOOK_MIN_NS after a task began to wait. If a look adds no worker, the time to
 *     the next one doubles, up to LOOK_MAX_NS. Else it is LOOK_MIN_NS again.
 *   - A look sees each worker as BLOCKED, WOKEN or BUSY (thread_growth.c), by the processor time that
 *     it has used since the look before, and by the kernel's letter for its state, R. The letter
 *     matters where the machine is busy: a thread that waits for a processor uses none either.
 *   - If fewer are BUSY or WOKEN than there are processors, as many are added as are BLOCKED, and at
 *     least one for each free processor, but no more than tasks wait. So the number doubles while all
 *     stay blocked. Answers that come within LOOK_MIN_NS add no worker beyond the processors, however
 *     little is computed between them.
 *   - Tasks that are woken all the time (data that trickles in) are never BLOCKED. So if fewer are
 *     BUSY than there are processors, a quarter is added, but only at looks after LOOK_MAX_NS. The
 *     number of looks grows with the logarithm of the number of workers.
 *   - A worker that is about to start, or to begin a task, is BUSY. A worker in a task that the
 *     deadline thread has ended is BLOCKED, though it may compute: else a few tasks that never return
 *     would stop the pool.
 *
 * Why no task waits forever
 *   - Submit rings after publishing, and cf-growth listens before its last look for tasks: one sees
 *     the other (platform/event_count.h).
 *   - The thread ends when all workers are started, or after stop, when no task waits any more. Until
 *     then tasks get workers also after a shutdown. Join waits for cf-growth before it counts the
 *     workers.
 *   - If the system refuses cf-growth or a worker, the others go on, and the next submit or look tries
 *     again.
 *
 * Without waiting tasks nothing runs: the thread sleeps without an end after two looks in a row,
 * LOOK_MAX_NS apart, that found none. So submitters ring some hundred times a second at most. */
#ifndef EXECUTORS_THREAD_GROWTH_H
#define EXECUTORS_THREAD_GROWTH_H

#include "cfutures/core/executor.h"

#include <pthread.h>

typedef struct thread_growth {
    cf_executor *executor;
    unsigned seen;   /* workers at the look before; this and cpu_ns are cf-growth's own */
    int64_t *cpu_ns; /* their processor times then; NULL: submit starts all workers */
    pthread_t thread;
    bool running; /* under executor->lock */
    plat_event_count event;
} thread_growth;

/* False: no memory. A pool that submit starts as a whole needs none. */
bool thread_growth_init(thread_growth *growth, cf_executor *executor);
void thread_growth_destroy(thread_growth *growth);

/* A task was published, and not all workers are started. Under executor->lock; does not wait. */
void thread_growth_wake(thread_growth *growth);

/* The pool was told to stop, or a worker has ended since: perhaps no task waits any more. */
void thread_growth_tell(thread_growth *growth);

/* Returns when no worker will be added any more. After stop; no lock but join_lock held. */
void thread_growth_join(thread_growth *growth);

#endif
