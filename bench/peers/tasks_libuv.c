/* libuv's threads: uv_queue_work, whose second function is called by the loop when the first is
 * done. */
#include "bench/tasks.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

typedef struct request {
    uv_work_t work;
    tiny_task task;
} request;

static uv_loop_t loop;
static uint64_t sum;

static void check(int code) {
    if (code < 0) {
        bench_fail(uv_strerror(code));
    }
}

static void run(uv_work_t *work) {
    tiny_task *task = &((request *)work)->task;
    task->result = task->arg.a + task->arg.b;
}

static void take(uv_work_t *work, int status) {
    check(status);
    sum += ((request *)work)->task.result;
}

static void start(request *one, addends arg) {
    one->task.arg = arg;
    check(uv_queue_work(&loop, &one->work, run, take));
}

static uint64_t taken(void) {
    sum = 0;
    uv_run(&loop, UV_RUN_DEFAULT);
    return sum;
}

static uint64_t round_trip(addends arg) {
    request one;
    start(&one, arg);
    return taken();
}

/* Its threads are started, all at once, by the first request. */
static void open_loop(unsigned workers) {
    char text[16];
    snprintf(text, sizeof text, "%u", workers);
    setenv("UV_THREADPOOL_SIZE", text, 1);
    check(uv_loop_init(&loop));
    round_trip(addends_of(0));
}

static void close_loop(void) {
    uv_loop_close(&loop);
}

static void submit(const submit_job *job) {
    request *requests = job->memory;
    for (size_t i = 0; i < job->count; i++) {
        start(&requests[i], addends_of(i));
    }
}

static uint64_t collect(const submit_job *job) {
    (void)job;
    return taken();
}

static uint64_t submit_all(const submit_job *job) {
    submit(job);
    return taken();
}

static void run_block(uv_work_t *work) {
    (void)work;
    gate_pass();
}

static void block(unsigned workers) {
    static uv_work_t *blocks;
    blocks = calloc(workers, sizeof *blocks);
    if (blocks == NULL) {
        bench_fail("no memory");
    }
    for (unsigned i = 0; i < workers; i++) {
        check(uv_queue_work(&loop, &blocks[i], run_block, NULL));
    }
}

const task_contender tasks_libuv = {.name = "libuv",
                                    .version = uv_version_string,
                                    .open = open_loop,
                                    .close = close_loop,
                                    .memory_size = sizeof(request),
                                    .ways = {[WAY_ALL] = submit_all},
                                    .submit = submit,
                                    .collect = collect,
                                    .round_trip = round_trip,
                                    .block = block};
