/* Functions that are called when a task is done.
 *
 * A callback is a watch without a set (waiting/watch.h). The settler announces the slot on the
 * completion stack. The thread that drains the stack puts the slot's callbacks on the executor's
 * list, in the order in which they were added. They are called from there by one thread at a time:
 *
 *      pools    the callback thread, started with the first callback. It sleeps on a word of its
 *               own (`callbacks`). It is rung by settlers while it waits for something
 *               (armed), by threads that put callbacks on the list, and by threads
 *               that add one.
 *      serial   (and a pool whose workers are gone) the thread that has just run a task, or that
 *               adds a callback to a task that is done. If another thread is calling, that thread
 *               goes on.
 *
 * During a call no lock of the executor is held, except join_lock while the executor is joined.
 *
 * The thread that happens to find a task finished does not call its callbacks: foreign code would
 * run in the middle of a caller's wait (result, as_completed). Two threads could do so at once for
 * one executor, and a callback could wait for its own thread. Deadlines have another thread
 * (core/deadline.h), because a callback may take long.
 *
 * No call is lost:
 *   - The thread arms before it drains, a settler pushes before it reads `armed`, all seq_cst.
 *   - If a settler dies between the two, the supervisor drains and rings, as at every death. If it
 *     is stopped there, the nursery rings (queue/wakeup.h), for the callbacks of other tasks.
 *   - The thread ends when the executor is joined, every worker is gone (so every task is settled
 *     and announced) and no callback is outstanding. */
#ifndef CFUTURES_CALLBACK_H
#define CFUTURES_CALLBACK_H

#include "cfutures/waiting/watch.h"

typedef struct cfi_callback {
    cfi_watch watch; /* its set is NULL; it holds a reference to the slot */
    cf_done_fn *call;
    void *context;
    cfi_link link; /* in the executor's list */
} cfi_callback;

/* For an executor whose tasks run on their caller's thread: after each task, with none of its locks
 * held. Does nothing inside a task: it is called again after the outermost one. */
void cfi_callbacks_attend(cf_executor *executor);

/* Returns when every callback has been called. Once, when all workers are gone; not on a thread
 * that is in one of the callbacks. */
void cfi_callbacks_finish(cf_executor *executor);

/* The calling thread is in a callback of this executor. */
bool cfi_callback_is_of(const cf_executor *executor);

#endif
