/* Waiting inside a task.
 *
 * A worker that waits for a task does not work. If that task belongs to its own executor and has
 * not begun, the worker runs it itself, then and there: the very task that it waits for and no
 * other, so that what runs on top of a task is always something that the task needs. N workers thus
 * stay N, and tasks may wait for tasks with a single worker.
 *
 * What is left is waiting for tasks that others run. Those may wait in turn, and when each waits
 * for another, none would ever return. So who is about to wait for ever inside a task is entered in
 * a list, and looks whether anyone on it could ever go on:
 *
 *      a waiting thread can go on if one thing that it waits for
 *        is done, or
 *        runs in another process, or on a thread that does not wait or can go on itself, or
 *        is pending in an executor with a worker of which the same is true
 *
 * What cannot be shown to go on in this way (a greatest set of hopeless ones: all are thought so,
 * and released step by step) never will. The newcomer is refused if it is among them, with
 * CF_EDEADLOCK; nobody who is on the list already becomes hopeless by that, so there is never one
 * on it. Waits with a timeout end by themselves and are not entered, nor are waits outside tasks.
 *
 * The list is one for the process, since tasks of one executor may wait for those of another, and
 * has a lock of its own, taken with no other held; under it only a watch set's lock is taken. Who
 * is on the list changes nothing that others read of it. Cost: at each such wait, the number of
 * threads that wait in tasks, squared at worst. */
#ifndef CFUTURES_NESTED_H
#define CFUTURES_NESTED_H

#include "cfutures/waiting/watch.h"
#include "cfutures/worker/scope.h"

/* Inside a task of the slot's executor: runs the slot if it has not begun. CF_EDEADLOCK when that
 * would nest too deep. *ran tells whether it did; false outside. */
cf_status cfi_nested_run(cfi_slot *slot, bool *ran);
/* The same for the first of a set's slots that has not begun. */
cf_status cfi_nested_run_one_of(cfi_watch_set *set, bool *ran);

/* What a thread waits for without a timeout: one of the two. */
typedef struct cfi_blocked {
    cfi_slot *slot;
    cfi_watch_set *set;
    const cfi_worker_scope *scope; /* where it waits */
    bool hopeless;
    struct cfi_blocked *next;
} cfi_blocked;

/* Before such a wait and after it. False: it would never end, and there is nothing to undo. */
bool cfi_nested_block(cfi_blocked *blocked);
void cfi_nested_unblock(cfi_blocked *blocked);

/* Before the first executor: in a forked child what its parent's threads wait for is not its own,
 * and one of them may have held the lock. May be called again. False: no memory. */
bool cfi_nested_prepare_for_fork(void);

#endif
