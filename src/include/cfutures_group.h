/* cfutures: groups of tasks. Submit any number of tasks without keeping a future for each, then wait for all of them.
 *
 *     cf_group *group;
 *     cf_group_create(ex, NULL, &group);
 *     for (int i = 0; i < n; i++) {
 *         cf_group_submit(group, &resize, &pictures[i], NULL, NULL);
 *     }
 *     cf_exception exception;
 *     status = cf_group_wait(group, CF_ALL_COMPLETED, CF_FOREVER, &exception);
 *     cf_group_destroy(group);
 *
 *   Threads    Any thread may make any call at any time, also a task of the group. A group is destroyed once only, and
 *              not while another thread uses it; a running task of the group may still submit, and is refused.
 *   Failures   The group keeps the first failure that it has seen: it looks at some tasks with each submit, and at all
 *              of them in a wait. A cancelled task counts as a failure only if no task has failed.
 *   Executor   A group is destroyed before its executor.
 *   Nested     Tasks may have groups of their own. A wait inside a task follows the rules of cf_future_result.
 *   Fork       In a forked child, and in a worker of a process pool, calls on a group of the parent return CF_EFORKED;
 *              cancel and destroy do nothing. */
#ifndef CFUTURES_GROUP_H
#define CFUTURES_GROUP_H

#include <cfutures.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

typedef struct cf_group cf_group;

typedef struct cf_group_options {
    /* When the group sees the first failure it cancels all tasks that have not begun, and submit returns CF_ECANCELLED
     * from then on. */
    bool cancel_on_failure;

    /* Most tasks that are submitted and not done. At the limit submit waits for one of them. If several threads submit
     * at the same time there may be one more for each. 0 = no limit. */
    size_t window;
} cf_group_options;

/* On CF_OK the caller owns *group. CF_EINVAL, CF_ENOMEM, CF_EFORKED. */
cf_status cf_group_create(cf_executor *executor, const cf_group_options *options, cf_group **group);

/* Submits a task to the group's executor, as cf_executor_submit_with; `options` may be NULL. If the task succeeds its
 * result is copied to `result`, which has room for the task's result_size or is NULL. It is there when a wait for all
 * tasks has returned, and is written by then only.
 *
 * Returns what cf_executor_submit_with returns. Also CF_ECANCELLED: the group is cancelled. With a window also what
 * cf_wait returns: CF_EDEADLOCK, CF_ENOMEM. */
cf_status cf_group_submit(cf_group *group, const cf_task *task, const void *arg,
                          const cf_submit_options *options, void *result);

/* Waits until all tasks of the group are done (CF_ALL_COMPLETED), or until one has failed or all are done
 * (CF_FIRST_EXCEPTION). Tasks that are submitted meanwhile count too. Returns CF_OK if none has failed, else the status of
 * the first failure, which is in *exception (may be NULL). CF_EINVAL, CF_ETIMEDOUT, CF_EDEADLOCK, CF_ENOMEM, CF_EFORKED:
 * *exception is then as if that were the failure. The group may be used again; its first failure stays. */
cf_status cf_group_wait(cf_group *group, cf_wait_for condition, int64_t timeout_ns,
                        cf_exception *exception);

/* Cancels all tasks that have not begun. From now on submit returns CF_ECANCELLED. NULL is allowed. */
void cf_group_cancel(cf_group *group);

/* Cancels what has not begun and waits for what is running, so no task of the group is left. Writes no results. A
 * task must not destroy a group whose tasks wait for it. NULL is allowed. */
void cf_group_destroy(cf_group *group);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
