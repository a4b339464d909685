/* On a pool of threads: a future for each code, and as_completed. */
#include "download/download_many.h"
#include "download/download_pool.h"

#include <stdlib.h>

static void collect(const download_job *job, cf_future *future, size_t index) {
    download_result result;
    cf_exception exception;
    if (cf_future_result(future, 0, &result) != CF_OK) {
        cf_future_exception(future, 0, &exception);
        download_result_set_exception(&result, job->codes[index], &exception);
    }
    job->collected(job->context, &result);
}

static cf_status collect_as_completed(const download_job *job, cf_future **futures) {
    cf_as_completed *completed;
    cf_status status = cf_as_completed_create(futures, job->count, &completed);
    if (status != CF_OK) {
        return status;
    }
    cf_future *future;
    size_t index;
    while ((status = cf_as_completed_next(completed, CF_FOREVER, &future, &index)) == CF_OK) {
        collect(job, future, index);
    }
    cf_as_completed_destroy(completed);
    return status == CF_EEXHAUSTED ? CF_OK : status;
}

static cf_status run(const download_job *job, cf_executor *executor, cf_future **futures) {
    job->begun(job->context);
    cf_status status = cf_executor_submit_many(executor, &DOWNLOAD_TASK, job->codes, job->count,
                                               NULL, futures, NULL);
    /* No more comes: whoever finds nothing to do ends, and does not wait to be told. */
    cf_executor_shutdown(executor, false, status != CF_OK);
    if (status == CF_OK) {
        status = collect_as_completed(job, futures);
    }
    for (size_t i = 0; i < job->count; i++) {
        cf_future_release(futures[i]);
    }
    return status;
}

cf_status download_many_threads(const download_job *job) {
    cf_executor *executor;
    cf_future **futures = calloc(job->count, sizeof(cf_future *));
    cf_status status = CF_ENOMEM;
    if (futures != NULL) {
        status = download_pool_create(cf_thread_pool_create, job->settings, job->most, &executor);
    }
    if (status == CF_OK) {
        status = run(job, executor, futures);
        cf_executor_destroy(executor);
    }
    free(futures);
    return status;
}
