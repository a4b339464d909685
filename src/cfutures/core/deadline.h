/* Runs over their time.
 *
 * A time limit counts from the start of a run, not from submission: it limits what a task does, not
 * how busy the pool is. A run over its time is not run again, since most would take as long again.
 * All times here are program time, which stands still while the program is stopped
 * (queue/program_time.h).
 *
 * The executor starts the deadline thread with the first task that has a time limit. The thread
 * sleeps until the earliest end of a run, and at most CFI_LOOK_MS, because program time goes on only
 * with its looks. It then declares over their time the runs that have not ended.
 *
 *      worker begins a limited run                 deadline thread
 *      record.limited = slot                       deadline_at = the earliest run_until it has seen,
 *      record.run_until = its end   (seq_cst)        or CFI_LOOK_MS from now (seq_cst)
 *      earlier than deadline_at?                   look through the records once more
 *      then ring                                   sleep until deadline_at, or a ring
 *
 * No deadline is lost: each side writes its word before it reads the other's, all seq_cst. So
 * either the worker rings or the thread sees the run. A run that is longer than CFI_LOOK_MS rings
 * only if the thread sleeps without an end. It does so after two looks in a row, CFI_LOOK_MS apart,
 * that found no limited run. So such runs ring a few times a second at most, not once a task. If a
 * worker is stopped before it rings, the nursery rings (queue/wakeup.h).
 *
 * A task that waits for another of its own executor may run that one on top of itself. The record
 * then shows the inner run, and the outer limit lies in a list under limits.lock (worker/limit.h).
 *
 * Declaring is a CAS on the slot's word, and never hits a later run:
 *   - It is made only if the record still names the run whose end was read. worker/limit.c changes
 *     `limited` only while run_until is 0.
 *   - The items of a chunk run in the same slot. Each limit changes the word's tick (queue/slot.h),
 *     so the CAS fails if the worker has gone on to the next item, or to any later one.
 *
 * What follows depends on the workers:
 *
 *   processes  The word becomes RUNNING | EXPIRED. The worker can then neither settle it nor go on
 *              to another task, so it can be killed safely at any later moment. It is judged when
 *              it is dead. Word and request are written under the executor's lock, as the dead are
 *              judged: so a request never outlives its worker and hits the successor.
 *   threads    The word becomes FINISHED | EXPIRED | OCCUPIED, and that is how the task ended. The
 *              thread goes on in the slot, whose result no longer counts, and clears OCCUPIED when
 *              the task returns. Until then neither slot nor payload is used again. A reference
 *              could not do that: the slot of a task without a future has none.
 *   serial     The caller's thread runs the task, so no other thread watches it. When the task returns,
 *              the worker sees that its time was over, and reports it. */
#ifndef CFUTURES_DEADLINE_H
#define CFUTURES_DEADLINE_H

#include "cfutures/core/executor.h"

/* Makes sure that the thread runs; does nothing for serial. CF_ENOMEM, or CF_EAGAIN if the system
 * refuses a thread. No lock held. */
cf_status cfi_deadlines_start(cf_executor *executor);

/* Ends the thread. Once, when all workers have ended. */
void cfi_deadlines_stop(cf_executor *executor);

#endif
