/* Functions that are called when a task is done.
 *
 * A callback is a watch without a set (watch.h): the settler announces the slot on the completion
 * stack, and whoever reaps the stack puts the slot's callbacks on the executor's list, in the order
 * in which they were added. They are called from there by one thread at a time, with no lock held:
 *
 *      pools    the callback thread, started with the first callback. It sleeps on a word of
 *               its own, `callbacks_rung`, and is rung by settlers while it waits for something
 *               (`callbacks_armed`), by whoever puts callbacks on the list, and by who adds one
 *      serial   (and a pool whose workers are gone) the thread that has just run a task, or adds
 *               a callback to one that is done; when another thread is at it, that one goes on
 *
 * Not on the thread that happens to find the task finished: a caller inside as_completed would then
 * run other people's code, two of one executor at once, and perhaps wait for itself.
 *
 * No lost call: the thread arms before it reaps, a settler pushes before it reads `armed`, all
 * seq_cst. A settler that dies between the two is covered by the supervisor, which reaps and rings
 * at every death. The thread ends when the executor is joined, every worker is gone (so every task
 * is settled and announced) and no callback is outstanding. */
#ifndef CFUTURES_CALLBACK_H
#define CFUTURES_CALLBACK_H

#include "cfutures/waiting/watch.h"

typedef struct cfi_callback {
    cfi_watch watch; /* its set is NULL; it holds a reference to the slot */
    cf_done_fn *call;
    void *context;
    struct cfi_callback *next; /* in the executor's list */
} cfi_callback;

/* For an executor whose tasks run on their caller's thread: after each of them, no lock held. Does
 * nothing inside one: who runs the outermost task calls it again. */
void cfi_callbacks_attend(cf_executor *executor);

/* Returns when every callback has been called. Once, when all workers are gone; not on the thread
 * that calls them. */
void cfi_callbacks_finish(cf_executor *executor);

/* The calling thread is in a callback of this executor. */
bool cfi_callback_is_of(const cf_executor *executor);

#endif
