/* The thread that tells an observer what has happened (cfutures_observer.h), and what the caller's process has to
 * tell. Workers tell by their rings (queue/events.h).
 *
 *   - The first submit starts the thread. It looks into all rings and at the notes, tells what it finds, and
 *     sleeps. It looks every OBSERVER_LOOK_NS while it finds something; after QUIET_LOOKS looks that found
 *     nothing it sleeps until it is rung.
 *   - Stop comes after the workers have ended and the supervisor has judged them. So the last look, after
 *     stop, finds all that is left. */
#ifndef CFUTURES_OBSERVER_THREAD_H
#define CFUTURES_OBSERVER_THREAD_H

#include "cfutures/core/executor.h"
#include "cfutures/queue/events.h"

/* CF_EAGAIN: the system refuses the thread. Does nothing without an observer. */
cf_status cfi_observer_start(cf_executor *executor);
void cfi_observer_stop(cf_executor *executor);

/* All below: only where executor->queue.events is not NULL. */

/* The task was submitted; its submission is stamped. */
void cfi_observer_submitted(cf_executor *executor, const cf_future *future);

/* A pending task has ended, with this status. */
void cfi_observer_dropped(cf_executor *executor, const cf_future *future, cf_status status);

/* Another thread than the worker says what became of a run. ENDED: with the outcome; its end is stamped. */
typedef struct cfi_cut_run {
    cf_event_kind kind;
    unsigned worker;
    unsigned attempt;
    cf_status outcome;
    int wait_status; /* EWORKER */
} cfi_cut_run;
void cfi_observer_cut(cf_executor *executor, const cf_future *future, const cfi_cut_run *run);

/* A worker has ended without telling it itself. Nothing is told of one that had not begun. */
void cfi_observer_gone(cf_executor *executor, unsigned worker, int wait_status);

#endif
