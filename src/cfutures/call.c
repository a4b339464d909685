/* A task for which the caller waits at once. */
#include <cfutures.h>

static cf_exception exception_of(cf_status status) {
    return (cf_exception){.status = status, .worker = -1};
}

cf_status cf_executor_call(cf_executor *executor, const cf_task *task, const void *arg,
                           const cf_submit_options *options, void *result,
                           cf_exception *exception) {
    cf_future *future;
    cf_exception ended;
    cf_status status = cf_executor_submit_with(executor, task, arg, options, &future);
    if (status != CF_OK) {
        ended = exception_of(status);
    } else {
        status = cf_future_result(future, CF_FOREVER, result);
        if (cf_future_exception(future, 0, &ended) != CF_OK || ended.status != status) {
            ended = exception_of(status); /* why nobody can wait for it */
        }
        cf_future_release(future);
    }
    if (exception != NULL) {
        *exception = ended;
    }
    return status;
}
