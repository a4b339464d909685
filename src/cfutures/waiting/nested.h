/* Waiting inside a task.
 *
 * A worker that waits for a task does not work. If that task belongs to its own executor and has
 * not begun, the worker runs it itself, at once. So N workers stay N, and tasks may wait for tasks
 * with a single worker.
 *
 * If another worker runs the task, and the wait has no timeout, the waiting worker helps
 * ("leapfrogging", Wagner and Calder 1993): it runs pending tasks that the awaited task has
 * submitted, or that these have. It runs no others. So what runs on top of a task is nearly always
 * something that the task needs. And the stack is as deep at most as with a single worker.
 *
 *   - Each task that a task submits has a note of its parent (queue/slab.h).
 *   - If it finds nothing to help with, the worker sleeps on control->help. The settler of an awaited
 *     task rings it. A task that submits another rings it too.
 *   - It looks at what workers have claimed, and at the first tasks from the cursor on: so many that
 *     the look costs some microseconds. Beyond that it misses some. They are pending, and so run
 *     later.
 *   - A task must not wait for the one that has submitted it, directly or through others, while that
 *     one waits for a task: it may run on top of it. Such a wait is refused.
 *
 * Otherwise another worker runs the task, and may wait in turn. If each waits for another, none
 * ever returns. So a thread that waits inside a task without a timeout first enters a list, and
 * looks whether it could ever go on:
 *
 *      a waiting thread can go on if one thing that it waits for
 *        is done, or
 *        runs in another process, or on a thread that does not wait or can go on itself, or
 *        is pending in an executor with a worker of which the same is true
 *
 *   - All threads on the list count as hopeless at first. Those that can go on are released step by
 *     step. The rest will never go on.
 *   - If the new thread is one of them, its wait is refused with CF_EDEADLOCK. No thread becomes
 *     hopeless that was on the list before, so there is never a hopeless one on it.
 *   - The check is made when the wait begins and not by a timer: no false alarm, no delay.
 *   - Waits with a timeout end by themselves and are not entered, nor are waits outside tasks.
 *
 * The list is one for the process, since tasks of one executor may wait for those of another.
 *
 *   - It has a lock of its own (core/executor.h has the order). Under it only a watch set's lock is
 *     taken.
 *   - While a thread is on the list, it changes nothing that others read of it.
 *   - Cost of such a wait, with n threads that wait inside tasks: n * n steps for each pass over
 *     the list, usually in two passes, at worst in n. A watch set counts as all its slots. */
#ifndef CFUTURES_NESTED_H
#define CFUTURES_NESTED_H

#include "cfutures/waiting/watch.h"
#include "cfutures/worker/scope.h"

/* Inside a task of the future's executor: runs the task if it has not begun. CF_EDEADLOCK if that
 * would nest too deep. *ran: whether it has run; false outside. */
cf_status cfi_nested_run(cf_future *future, bool *ran);
/* The same for the first of a set's tasks that has not begun. */
cf_status cfi_nested_run_one_of(cfi_watch_set *set, bool *ran);

/* The calling thread may help the future's task, if it runs. */
bool cfi_nested_can_help(const cf_future *future);
/* Then: runs a pending task that it has submitted, directly or through others. False: found none. */
bool cfi_nested_help(cf_future *future);
/* Then: runs a job that it has forked, directly or through others. False: found none. */
bool cfi_nested_steal(cf_future *future);
/* How long the calling thread should sleep until it looks for such jobs again: nobody rings for them. -1:
 * no task forks. */
int64_t cfi_nested_poll_ns(const cf_future *future);
/* The calling thread was woken to help, and has found nothing. */
void cfi_nested_help_was_vain(void);
/* How long it should sleep before it helps again: what it has gained lately was not worth the time to
 * find it. 0: not at all. */
int64_t cfi_nested_pause_ns(void);

/* What a thread waits for without a timeout: a task or a set. */
typedef struct cfi_blocked {
    cf_future *future;
    cfi_watch_set *set;
    const cfi_worker_scope *scope; /* of the waiting thread */
    bool hopeless;
    cfi_node node;
} cfi_blocked;

/* Before such a wait and after it. False: the wait would never end; unblock must not be called. */
bool cfi_nested_block(cfi_blocked *blocked);
void cfi_nested_unblock(cfi_blocked *blocked);

/* Called before the first executor is made: a forked child must forget the waits of its parent's
 * threads, one of which may have held the lock. May be called again. False: no memory. */
bool cfi_nested_prepare_for_fork(void);

#endif
