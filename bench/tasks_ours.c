/* The executors of this project, all of them by the same calls. */
#include "bench/tasks.h"

#include "programs/timeline/observing.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef HAVE_CF_OPENMP
#include <cfutures_openmp.h>
#endif
#ifdef HAVE_CF_MPI
#include <cfutures_mpi.h>
#endif

static cf_executor *executor;

static void check(cf_status status) {
    if (status != CF_OK) {
        bench_fail(cf_status_message(status));
    }
}

/* ---- the tasks ------------------------------------------------------------------------------- */

static int add(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    const addends *both = arg;
    *(uint64_t *)result = both->a + both->b;
    return 0;
}

/* Reads both ends of its argument: the rest is copied and read by nobody. */
static int add_ends(const void *arg, void *result, cf_task_context *ctx) {
    const uint64_t *words = arg;
    const size_t last = cf_task_arg_size(ctx) / sizeof *words - 1;
    *(uint64_t *)result = words[0] + (last > 0 ? words[last] : 0);
    return 0;
}

static int increment(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    *(uint64_t *)result = *(const uint64_t *)arg + 1;
    return 0;
}

static int block(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg, (void)result, (void)ctx;
    gate_pass();
    return 0;
}

static const cf_task ADD = {
    .name = "add", .run = add, .arg_size = sizeof(addends), .result_size = sizeof(uint64_t)};
static const cf_task INCREMENT = {.name = "increment",
                                  .run = increment,
                                  .arg_size = sizeof(uint64_t),
                                  .result_size = sizeof(uint64_t)};
static const cf_task BLOCK = {.name = "block", .run = block};

/* ---- opening and closing --------------------------------------------------------------------- */

static uint64_t take(cf_future *future) {
    uint64_t result;
    check(cf_future_result(future, CF_FOREVER, &result));
    cf_future_release(future);
    return result;
}

static uint64_t round_trip(addends arg) {
    cf_future *future;
    check(cf_executor_submit(executor, &ADD, &arg, &future));
    return take(future);
}

/* A pool starts a worker with each submit, until it has them all. */
static void open_observed_by(cf_status (*create)(const cf_pool_options *, cf_executor **),
                             unsigned workers, const cf_observer *observer) {
    const cf_pool_options options = {.max_workers = workers, .observer = observer};
    check(create(&options, &executor));
    for (unsigned i = 0; i < workers; i++) {
        round_trip(addends_of(i));
    }
}

static void open_by(cf_status (*create)(const cf_pool_options *, cf_executor **),
                    unsigned workers) {
    open_observed_by(create, workers, NULL);
}

static void open_serial(unsigned workers) {
    (void)workers;
    open_by(cf_serial_create, 1);
}

static void open_thread_pool(unsigned workers) {
    open_by(cf_thread_pool_create, workers);
}

static void open_process_pool(unsigned workers) {
    open_by(cf_process_pool_create, workers);
}

#ifdef HAVE_CF_OPENMP
static void open_openmp(unsigned workers) {
    open_by(cf_openmp_create, workers);
}
#endif

#ifdef HAVE_CF_MPI
/* The bench has started one rank more than there are workers. Only rank 0 returns. */
static void open_mpi(unsigned workers) {
    const cf_mpi_options mpi = {.workers_per_rank = 1};
    const cf_status status = cf_mpi_create(NULL, &mpi, &executor);
    if (status == CF_ESERVED) {
        exit(0);
    }
    if (status != CF_OK) {
        bench_fail(cf_mpi_reason());
    }
    if (cf_executor_max_workers(executor) != workers) {
        bench_fail("start one rank more than there are workers");
    }
    for (unsigned i = 0; i < workers; i++) {
        round_trip(addends_of(i));
    }
}
#endif

static void close_executor(void) {
    cf_executor_destroy(executor);
}

/* ---- the same with a trace ------------------------------------------------------------------- */

static observing *traced;
static char trace_file[64];

static void open_traced_by(cf_status (*create)(const cf_pool_options *, cf_executor **),
                           unsigned workers) {
    const observing_options options = {.trace = trace_file};
    const observing_subject subject = {.program = "bench_tasks", .worker = "worker"};
    snprintf(trace_file, sizeof trace_file, "bench-trace-%ld.json", (long)getpid());
    traced = observing_begin(&options, &subject);
    open_observed_by(create, workers, observing_observer(traced));
    observing_executor(traced, executor);
}

static void open_traced_thread_pool(unsigned workers) {
    open_traced_by(cf_thread_pool_create, workers);
}

static void open_traced_process_pool(unsigned workers) {
    open_traced_by(cf_process_pool_create, workers);
}

/* Until the file is whole. Nobody wants it. */
static void close_traced(void) {
    cf_executor_shutdown(executor, true, false);
    if (observing_end(traced) != 0 || unlink(trace_file) != 0) {
        bench_fail("the trace cannot be written");
    }
    cf_executor_destroy(executor);
}

/* ---- submitting ------------------------------------------------------------------------------ */

static void submit(const submit_job *job) {
    cf_future **futures = job->memory;
    for (size_t i = 0; i < job->count; i++) {
        const addends arg = addends_of(i);
        check(cf_executor_submit(executor, &ADD, &arg, &futures[i]));
    }
}

static uint64_t collect(const submit_job *job) {
    cf_future **futures = job->memory;
    uint64_t sum = 0;
    for (size_t i = 0; i < job->count; i++) {
        sum += take(futures[i]);
    }
    return sum;
}

static uint64_t submit_all(const submit_job *job) {
    submit(job);
    return collect(job);
}

static uint64_t submit_as_completed(const submit_job *job) {
    submit(job);
    cf_as_completed *completed;
    check(cf_as_completed_create(job->memory, job->count, &completed));
    uint64_t sum = 0;
    for (size_t i = 0; i < job->count; i++) {
        cf_future *future;
        check(cf_as_completed_next(completed, CF_FOREVER, &future, NULL));
        sum += take(future);
    }
    cf_as_completed_destroy(completed);
    return sum;
}

static uint64_t submit_many(const submit_job *job) {
    static addends *args; /* touched by the first pass, which is none of those that are reported */
    static size_t room;
    if (job->count > room) {
        free(args);
        args = malloc(job->count * sizeof *args);
        room = job->count;
        if (args == NULL) {
            bench_fail("no memory");
        }
    }
    for (size_t i = 0; i < job->count; i++) {
        args[i] = addends_of(i);
    }
    check(cf_executor_submit_many(executor, &ADD, args, job->count, NULL, job->memory, NULL));
    return collect(job);
}

/* A ring of futures: the place of the one to submit is that of the oldest. */
static uint64_t submit_ring(const submit_job *job, const cf_task *task, uint64_t *words) {
    cf_future **futures = job->memory;
    const size_t last = task->arg_size / sizeof *words - 1;
    uint64_t sum = 0;
    for (size_t i = 0, place = 0; i < job->count; i++) {
        if (i >= job->window) {
            sum += take(futures[place]);
        }
        const addends both = addends_of(i);
        words[0] = last > 0 ? both.a : both.a + both.b;
        if (last > 0) {
            words[last] = both.b;
        }
        check(cf_executor_submit(executor, task, words, &futures[place]));
        place = place + 1 < job->window ? place + 1 : 0;
    }
    const size_t left = job->count < job->window ? job->count : job->window;
    for (size_t i = job->count - left; i < job->count; i++) {
        sum += take(futures[i % job->window]);
    }
    return sum;
}

static uint64_t submit_window(const submit_job *job) {
    uint64_t words[2];
    return submit_ring(job, &ADD, words);
}

static uint64_t submit_payload(const submit_job *job) {
    const cf_task task = {.name = "add_ends",
                          .run = add_ends,
                          .arg_size = job->payload,
                          .result_size = sizeof(uint64_t)};
    uint64_t *words = calloc(1, job->payload);
    if (words == NULL) {
        bench_fail("no memory");
    }
    const uint64_t sum = submit_ring(job, &task, words);
    free(words);
    return sum;
}

/* ---- the rest -------------------------------------------------------------------------------- */

static void submit_blocks(unsigned workers) {
    for (unsigned i = 0; i < workers; i++) {
        check(cf_executor_submit(executor, &BLOCK, NULL, NULL));
    }
}

static void map(const map_job *job) {
    const cf_task task = {.name = "item",
                          .run = job->run,
                          .arg_size = sizeof *job->in,
                          .result_size = sizeof *job->out};
    check(cf_executor_map(executor, &task, job->in, job->count, job->out, NULL));
}

typedef struct counter {
    uint64_t next;
    uint64_t end;
} counter;

static cf_source_answer count_up(void *context, void *arg) {
    counter *numbers = context;
    if (numbers->next == numbers->end) {
        return CF_SOURCE_END;
    }
    *(uint64_t *)arg = numbers->next++;
    return CF_SOURCE_ITEM;
}

static uint64_t stream(uint64_t count, uint64_t step, void (*progress)(uint64_t done)) {
    counter numbers = {.end = count};
    const cf_stream_options options = {.size_hint = count};
    cf_stream *items;
    check(cf_stream_open(executor, &INCREMENT, count_up, &numbers, &options, &items));
    uint64_t sum = 0, next = 0;
    for (uint64_t i = 0; i < count; i++) {
        if (i == next) {
            progress(i);
            next += step;
        }
        cf_stream_item item;
        check(cf_stream_next(items, CF_FOREVER, &item));
        check(item.exception.status);
        sum += *(const uint64_t *)item.result;
    }
    cf_stream_close(items);
    return sum;
}

#define OURS                                                                                       \
    .memory_size = sizeof(cf_future *), .memory_is_apart = 1,                                      \
    .ways = {[WAY_ALL] = submit_all,                                                               \
             [WAY_WINDOW] = submit_window,                                                         \
             [WAY_AS_COMPLETED] = submit_as_completed,                                             \
             [WAY_MANY] = submit_many,                                                             \
             [WAY_PAYLOAD] = submit_payload},                                                      \
    .submit = submit, .collect = collect, .round_trip = round_trip, .map = map, .stream = stream

const task_contender tasks_ours[] = {
    {.name = "serial", .open = open_serial, .close = close_executor, OURS},
    {.name = "thread_pool",
     .open = open_thread_pool,
     .block = submit_blocks,
     .close = close_executor,
     OURS},
    {.name = "process_pool",
     .open = open_process_pool,
     .block = submit_blocks,
     .close = close_executor,
     OURS},
#ifdef HAVE_CF_OPENMP
    {.name = "openmp", .open = open_openmp, .block = submit_blocks, .close = close_executor, OURS},
#endif
    {.name = "thread_pool_traced", .open = open_traced_thread_pool, .close = close_traced, OURS},
    {.name = "process_pool_traced", .open = open_traced_process_pool, .close = close_traced, OURS},
#ifdef HAVE_CF_MPI
    {.name = "mpi", .open = open_mpi, .close = close_executor, OURS},
#endif
};
const size_t tasks_ours_count = sizeof tasks_ours / sizeof tasks_ours[0];
