/* Runs over their time.
 *
 * A thread of the executor's own, started with the first task that has a time limit, sleeps until
 * the earliest end of a run and declares over its time what is still running then.
 *
 *      worker begins a limited run                 deadline thread
 *      record.limited = slot                       deadline_at = the earliest run_until it has seen
 *      record.run_until = its end   (seq_cst)                                (seq_cst)
 *      earlier than deadline_at?                   look through the records once more
 *      then ring                                   sleep until deadline_at, or a ring
 *
 * No lost deadline: each writes its word before it reads the other's, all seq_cst, so either the
 * worker rings or the thread sees the run. Runs of about equal length ring once in a while, not
 * once a task.
 *
 * A task that waits for another of its own executor may run that on top of itself. Then the record
 * shows the inner run, and the outer one's limit is kept in a list of the worker's under the
 * executor's lock until the inner one has ended. (Not in processes: there no task waits for its own
 * executor's.)
 *
 * Declaring is a CAS on the slot's word, made only if the record still names the run whose end was
 * read (worker.c changes `limited` only while run_until is 0), so it never hits a later run. What
 * follows depends on the workers:
 *
 *   processes  the word becomes RUNNING | EXPIRED: the worker can no longer settle it, nor go on to
 *              another task, so it is safe to have it killed, whenever that happens. It is judged
 *              when it is dead. Word and request are written under the executor's lock, as the dead
 *              are judged: so a request never outlives its worker and hits the successor.
 *   threads    the word becomes FINISHED | EXPIRED | OCCUPIED, and that is how the task ended. The
 *              thread goes on in a slot that nobody reads any more, and leaves it when the task
 *              returns; until then neither slot nor payload are used again.
 *   serial     has no such thread (its worker is the caller's): a run that returns late is late. */
#ifndef CFUTURES_DEADLINE_H
#define CFUTURES_DEADLINE_H

#include "cfutures/core/executor.h"

/* Makes sure that the thread runs. CF_EAGAIN: the system refuses it. No lock held. */
cf_status cfi_deadlines_start(cf_executor *executor);

/* Ends the thread. Once, when all workers are gone. */
void cfi_deadlines_stop(cf_executor *executor);

#endif
