/* On a pool of threads, as completed: a stream of which no more are under way than there are workers, and as many
 * again, so that a worker which has ended one finds the next. */
#include "download/download_many.h"
#include "download/download_pool.h"

#include <string.h>

typedef struct codes_left {
    const country_code *next, *end;
} codes_left;

static cf_source_answer give_code(void *context, void *arg) {
    codes_left *left = context;
    if (left->next == left->end) {
        return CF_SOURCE_END;
    }
    memcpy(arg, left->next++, sizeof *left->next);
    return CF_SOURCE_ITEM;
}

static void collect(const download_job *job, const cf_stream_item *item) {
    download_result result;
    if (item->exception.status == CF_OK) {
        memcpy(&result, item->result, sizeof result);
    } else {
        download_result_set_exception(&result, job->codes[item->index], &item->exception);
    }
    job->collected(job->context, &result);
}

static cf_status run(const download_job *job, cf_executor *executor) {
    codes_left left = {job->codes, job->codes + job->count};
    const cf_stream_options options = {
        .as_completed = true,
        .chunk = 1,
        .window = 2 * (size_t)job->most,
        .size_hint = job->count,
    };
    cf_stream *stream;
    job->begun(job->context);
    cf_status status =
        cf_stream_open(executor, &DOWNLOAD_TASK, give_code, &left, &options, &stream);
    if (status != CF_OK) {
        return status;
    }
    cf_stream_item item;
    while ((status = cf_stream_next(stream, CF_FOREVER, &item)) == CF_OK) {
        if (left.next == left.end) { /* who finds nothing more to do need not wait for more */
            cf_executor_shutdown(executor, false, false);
        }
        collect(job, &item);
    }
    cf_stream_close(stream);
    return status == CF_EEXHAUSTED ? CF_OK : status;
}

cf_status download_many_threads(const download_job *job) {
    cf_executor *executor;
    cf_status status =
        download_pool_create(cf_thread_pool_create, job->settings, job->most, &executor);
    if (status == CF_OK) {
        status = run(job, executor);
        cf_executor_destroy(executor);
    }
    return status;
}
