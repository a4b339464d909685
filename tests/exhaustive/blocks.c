#include "blocks.h"

#include "../support.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define PROGRESS_INTERVAL (60 * SECOND)

typedef struct numbered_block {
    const block_job *job;
    uint64_t block;
} numbered_block;

static int make_scratch(void *context, unsigned worker, void **local) {
    const block_job *job = context;
    (void)worker;
    *local = malloc(job->scratch_size);
    return *local ? 0 : ENOMEM;
}

static void free_scratch(void *context, unsigned worker, void *local) {
    const block_job *job = context;
    (void)worker;
    if (job->leave) {
        job->leave();
    }
    free(local);
}

static cf_source_answer next_block(void *context, void *arg) {
    numbered_block *next = context;
    *(numbered_block *)arg = *next;
    return next->block++ < next->job->blocks ? CF_SOURCE_ITEM : CF_SOURCE_END;
}

static int run_block(const void *arg, void *result, cf_task_context *ctx) {
    const numbered_block *b = arg;
    b->job->run(b->job->shared, b->block, cf_task_local(ctx), result);
    return 0;
}

static bool complain(const block_job *job, const char *what, cf_status status) {
    fprintf(stderr, "%s: %s: %s\n", job->name, what, cf_status_message(status));
    return false;
}

static void report_progress(const block_job *job, uint64_t done, int64_t *reported) {
    const int64_t now = now_ns();
    if (now - *reported >= PROGRESS_INTERVAL) {
        *reported = now;
        fprintf(stderr, "%s: %" PRIu64 "%%\n", job->name, done * 100 / job->blocks);
    }
}

static bool take_blocks(const block_job *job, cf_stream *stream, void *context) {
    int64_t reported = now_ns();
    cf_stream_item item;
    cf_status status;
    while ((status = cf_stream_next(stream, CF_FOREVER, &item)) == CF_OK) {
        if (item.exception.status != CF_OK) {
            return complain(job, "a block was not run", item.exception.status);
        }
        if (!job->take(context, item.index, item.result)) {
            return true;
        }
        report_progress(job, item.index + 1, &reported);
    }
    return status == CF_EEXHAUSTED || complain(job, "not all blocks were run", status);
}

bool blocks_run(const block_job *job, void *context) {
    const cf_pool_options pool_options = {
        .initializer = make_scratch, .finalizer = free_scratch, .context = (void *)(uintptr_t)job};
    const cf_task task = {.name = job->name,
                          .run = run_block,
                          .arg_size = sizeof(numbered_block),
                          .result_size = job->result_size};
    const cf_stream_options options = {.chunk = 1, .size_hint = job->blocks};
    numbered_block next = {.job = job};
    cf_executor *pool;
    cf_stream *stream;

    cf_status status = cf_thread_pool_create(&pool_options, &pool);
    if (status != CF_OK) {
        return complain(job, "no thread pool", status);
    }
    bool done = false;
    status = cf_stream_open(pool, &task, next_block, &next, &options, &stream);
    if (status == CF_OK) {
        done = take_blocks(job, stream, context);
        cf_stream_close(stream);
    } else {
        complain(job, "no stream", status);
    }
    cf_executor_destroy(pool);
    return done;
}

bool parse_number(const char *text, uint64_t *number) {
    char *end;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0;
}
