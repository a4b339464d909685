/* On a pool, with the executor's map: in order, and handed on when all of them are done. */
#include "download/download_many.h"
#include "download/download_pool.h"

#include <stdlib.h>

typedef struct mapped {
    download_result *results;
    cf_exception *exceptions;
} mapped;

static bool allocate(mapped *items, size_t count) {
    items->results = calloc(count, sizeof *items->results);
    items->exceptions = calloc(count, sizeof *items->exceptions);
    return items->results != NULL && items->exceptions != NULL;
}

static void release(const mapped *items) {
    free(items->results);
    free(items->exceptions);
}

/* A result without a code is none: its task failed, or there was no map at all. */
static void collect(const download_job *job, const mapped *items, cf_status status) {
    for (size_t i = 0; i < job->count; i++) {
        download_result *result = &items->results[i];
        if (result->code.text[0] == '\0') {
            cf_exception exception = items->exceptions[i];
            if (exception.status == CF_OK) {
                exception.status = status;
            }
            download_result_set_exception(result, job->codes[i], &exception);
        }
        job->collected(job->context, result);
    }
}

static cf_status map(const download_job *job, cf_create_fn *create) {
    mapped items;
    cf_executor *executor;
    cf_status status = CF_ENOMEM;
    if (allocate(&items, job->count)) {
        status = download_pool_create(create, job->settings, job->most, &executor);
    }
    if (status == CF_OK) {
        job->begun(job->context);
        const cf_map_options options = {
            .chunk = 1, .retries = DOWNLOAD_WORKER_RETRIES, .exceptions = items.exceptions};
        const cf_status outcome = cf_executor_map(executor, &DOWNLOAD_TASK, job->codes, job->count,
                                                  items.results, &options);
        collect(job, &items, outcome);
        cf_executor_destroy(executor);
    }
    release(&items);
    return status;
}

cf_status download_many_map_threads(const download_job *job) {
    return map(job, cf_thread_pool_create);
}

cf_status download_many_map_processes(const download_job *job) {
    download_settings settings = *job->settings;
    settings.window = NULL; /* a worker that is killed would not give back its place */
    download_job with_settings = *job;
    with_settings.settings = &settings;
    return map(&with_settings, cf_process_pool_create);
}
