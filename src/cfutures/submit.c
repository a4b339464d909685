/* The public calls that submit: checks, staging of large arguments, one task or many. */
#include "cfutures/core/deadline.h"
#include "cfutures/core/submission.h"

#include "platform/assert.h"

#include <string.h>

static cf_status check_submission(const cf_executor *executor, const cf_task *task, const void *arg,
                                  const cf_submit_options *options) {
    if (executor == NULL || task == NULL || task->run == NULL ||
        (arg == NULL && task->arg_size > 0) || task->arg_size > CF_PAYLOAD_MAX ||
        task->result_size > CF_PAYLOAD_MAX || options->retries > CF_RETRIES_MAX) {
        return CF_EINVAL;
    }
    return cfi_executor_is_foreign(executor) ? CF_EFORKED : CF_OK;
}

static const cf_submit_options default_submit_options;
static const char no_arguments[1]; /* in place of a NULL array for 0 tasks */

enum {
    LARGE = 32 << 10 /* bytes: such an argument is staged */
};

/* Copies a large argument into a block without the lock, so that no other submitter waits for the
 * copy. */
static cf_status stage_and_submit(cf_executor *executor, cfi_submission *submission,
                                  cf_future **future) {
    const cf_task *task = submission->task;
    const size_t limit = submission->timeout_ns > 0 ? CFI_LIMIT_BYTES : 0;
    const size_t arg_room = limit + task->arg_size;
    cfi_assert(submission->arg != NULL && task->arg_size >= LARGE); /* both were checked */
    submission->block = cfi_executor_take_block(executor, arg_room, task->result_size);
    if (submission->block == 0) {
        return CF_ENOMEM;
    }
    memcpy(executor->queue.base + submission->block + limit, submission->arg, task->arg_size);
    cf_status status = cfi_submission_submit(executor, submission, future);
    if (status != CF_OK) {
        cfi_executor_give_block(executor, submission->block, arg_room, task->result_size);
    }
    return status;
}

cf_status cf_executor_submit_with(cf_executor *executor, const cf_task *task, const void *arg,
                                  const cf_submit_options *options, cf_future **future) {
    if (options == NULL) {
        options = &default_submit_options;
    }
    if (future != NULL) {
        *future = NULL;
    }
    cf_status status = check_submission(executor, task, arg, options);
    if (status == CF_OK && options->timeout_ns > 0) {
        status = cfi_deadlines_start(executor);
    }
    if (status != CF_OK) {
        return status;
    }
    cfi_submission submission = {
        .task = task,
        .arg = arg,
        .retries = options->retries,
        .timeout_ns = options->timeout_ns,
        .until_ns = executor->refuse_when_full ? 0 : -1,
    };
    return task->arg_size < LARGE ? cfi_submission_submit(executor, &submission, future)
                                  : stage_and_submit(executor, &submission, future);
}

cf_status cf_executor_submit(cf_executor *executor, const cf_task *task, const void *arg,
                             cf_future **future) {
    return cf_executor_submit_with(executor, task, arg, NULL, future);
}

cf_status cf_executor_submit_many(cf_executor *executor, const cf_task *task, const void *args,
                                  size_t count, const cf_submit_options *options,
                                  cf_future **futures, size_t *submitted) {
    size_t done = 0;
    if (options == NULL) {
        options = &default_submit_options;
    }
    if (futures != NULL) {
        memset(futures, 0, count * sizeof *futures);
    }
    cf_status status = check_submission(executor, task, count > 0 ? args : no_arguments, options);
    if (status == CF_OK && options->timeout_ns > 0) {
        status = cfi_deadlines_start(executor);
    }
    while (status == CF_OK && done < count) {
        const cfi_submission submission = {
            .task = task,
            .arg = (const char *)args + done * task->arg_size,
            .retries = options->retries,
            .timeout_ns = options->timeout_ns,
            .until_ns = executor->refuse_when_full ? 0 : -1,
        };
        done += cfi_submission_submit_batch(executor, submission, count - done,
                                            futures != NULL ? futures + done : NULL, &status);
    }
    cfi_assert(done <= count);
    if (submitted != NULL) {
        *submitted = done;
    }
    return status;
}
