/* Runs over their time. The deadline thread declares them, while they end by themselves or wait for
 * a run on top of them. A limit is a second: a pause (10 us) makes no difference. */
#include "scenarios.h"

#include "include/hooks.h"

#include "cfutures/core/deadline.h"
#include "cfutures/queue/program_time.h"
#include "cfutures/worker/chunk.h"
#include "cfutures/worker/context.h"

enum {
    TASKS = 2,
    FULL = CFI_SLAB_SLOTS - 1 /* tasks of a slab */
};

#define SECOND   INT64_C(1000000000)
#define A_LITTLE (SECOND / 100)

static cf_future *futures[TASKS];
static int64_t begun_ns; /* when the scenario began */

static cf_future *submit(const cf_task *task, unsigned n, int64_t limit_ns) {
    const cf_submit_options options = {.timeout_ns = limit_ns};
    cf_future *future = NULL;
    CHECK(cf_executor_submit_with(executor, task, &n, &options, &future) == CF_OK);
    return future;
}

static void begin(unsigned workers) {
    pool_begin_bare(workers, plain);
    begun_ns = sim_now_ns();
}

static int64_t passed_ns(void) {
    return sim_now_ns() - begun_ns;
}

/* The task ends only when the caller has arrived. */
static int run_overdue(const void *arg, void *result, cf_task_context *ctx) {
    pool_await(1);
    return number_task.run(arg, result, ctx);
}

static const cf_task overdue_task = {.name = "overdue",
                                     .run = run_overdue,
                                     .arg_size = sizeof(unsigned),
                                     .result_size = sizeof(uint64_t)};

/* ---- counts: one ending for each task -------------------------------------------------------- */

static cf_stats stats;
static unsigned late; /* tasks that ended with CF_EDEADLINE */

/* Waits for the task's end. */
static void see(cf_future *future, unsigned n) {
    uint64_t value = 0;
    cf_status status = cf_future_result(future, CF_FOREVER, &value);
    CHECK(status == CF_EDEADLINE || (status == CF_OK && value == pool_result(n)));
    CHECK(cf_future_result(future, 0, NULL) == status);
    late += status == CF_EDEADLINE;
}

static void end(unsigned tasks) {
    CHECK(cf_executor_shutdown(executor, true, false) == CF_OK);
    pool_check_counts(&stats);
    for (unsigned n = 0; n < tasks; n++) {
        cf_future_release(futures[n]);
    }
    cf_executor_destroy(executor);
}

static void check_counts(unsigned tasks) {
    CHECK(stats.submitted == tasks && stats.cancelled == 0);
    CHECK(stats.failed == late && stats.timed_out == late && stats.unseen == 0);
    check_freed();
}

/* ---- a run that ends just as its time is over ------------------------------------------------ */

static void see_one(void *context) {
    (void)context;
    late = 0;
    see(futures[0], 0);
    end(1);
}

static void set_up_ends(void) {
    begin(1);
    futures[0] = submit(&number_task, 0, SECOND);
    pool_worker(0, futures[0]);
    sim_thread("caller", see_one, NULL);
}

static void check_ends(void) {
    CHECK(late == 0 || passed_ns() >= SECOND);
    check_counts(1);
}

const scenario deadline_ends = {
    .name = "deadline_ends", .set_up = set_up_ends, .check = check_ends, .bound = 2};

/* ---- a run that would never end -------------------------------------------------------------- */

static int64_t told_ns; /* when the caller was told */

static void see_overdue(unsigned n) {
    CHECK(cf_future_result(futures[n], CF_FOREVER, NULL) == CF_EDEADLINE);
    told_ns = passed_ns();
    late++;
    pool_arrive();
}

static void see_one_overdue(void *context) {
    (void)context;
    late = 0;
    see_overdue(0);
    end(1);
}

static void set_up_overdue(void) {
    begin(1);
    futures[0] = submit(&overdue_task, 0, SECOND);
    pool_worker(0, futures[0]);
    sim_thread("caller", see_one_overdue, NULL);
}

static void check_overdue(void) {
    check_counts(1);
    CHECK(told_ns >= SECOND && told_ns < SECOND + A_LITTLE);
}

const scenario deadline_overdue = {.name = "deadline_overdue",
                                   .set_up = set_up_overdue,
                                   .check = check_overdue,
                                   .bound = 3,
                                   .lazy_clock = true};

/* ---- a limit begins that ends before the one that the deadline thread knows ------------------ */

static void see_second_overdue(void *context) {
    (void)context;
    late = 0;
    see_overdue(1);
    see(futures[0], 0);
    end(2);
}

static void set_up_earlier(void) {
    begin(2);
    futures[0] = submit(&overdue_task, 0, 5 * SECOND);
    futures[1] = submit(&overdue_task, 1, SECOND);
    pool_worker(0, futures[0]);
    pool_worker(1, futures[1]);
    sim_thread("caller", see_second_overdue, NULL);
}

static void check_second_in_time(void) {
    check_counts(2);
    CHECK(late == 1 && told_ns >= SECOND && told_ns < SECOND + A_LITTLE);
}

const scenario deadline_earlier = {.name = "deadline_earlier",
                                   .set_up = set_up_earlier,
                                   .check = check_second_in_time,
                                   .bound = 1,
                                   .lazy_clock = true};

/* ---- a run waits for another one on top of it ------------------------------------------------ */

/* Task 0 runs task 1, which was submitted last. */
static int run_outer(const void *arg, void *result, cf_task_context *ctx) {
    cf_future_result(futures[1], CF_FOREVER, NULL);
    return number_task.run(arg, result, ctx);
}

/* The same, then ends only when the caller has arrived. */
static int run_outer_overdue(const void *arg, void *result, cf_task_context *ctx) {
    cf_future_result(futures[1], CF_FOREVER, NULL);
    return run_overdue(arg, result, ctx);
}

static const cf_task outer_task = {.name = "outer",
                                   .run = run_outer,
                                   .arg_size = sizeof(unsigned),
                                   .result_size = sizeof(uint64_t)};

static const cf_task outer_overdue_task = {.name = "outer overdue",
                                           .run = run_outer_overdue,
                                           .arg_size = sizeof(unsigned),
                                           .result_size = sizeof(uint64_t)};

static void begin_nested(const cf_task *outer, int64_t outer_ns, const cf_task *inner,
                         int64_t inner_ns, void (*caller)(void *)) {
    begin(1);
    futures[0] = submit(outer, 0, outer_ns);
    futures[1] = submit(inner, 1, inner_ns);
    pool_worker(0, futures[0]);
    sim_thread("caller", caller, NULL);
}

static void see_outer_overdue(void *context) {
    (void)context;
    late = 0;
    see_overdue(0);
    see(futures[1], 1);
    CHECK(late == 1);
    end(2);
}

static void see_inner_overdue(void *context) {
    (void)context;
    late = 0;
    see_overdue(1);
    see(futures[0], 0);
    CHECK(late == 1);
    end(2);
}

/* The outer run's time is over first, while the inner one runs. */
static void set_up_outer(void) {
    begin_nested(&outer_task, SECOND, &overdue_task, 5 * SECOND, see_outer_overdue);
}

/* The inner run's time is over first. */
static void set_up_inner(void) {
    begin_nested(&outer_task, 5 * SECOND, &overdue_task, SECOND, see_inner_overdue);
}

/* The outer run's time is over after the inner one has ended. */
static void set_up_outer_again(void) {
    begin_nested(&outer_overdue_task, SECOND, &number_task, 5 * SECOND, see_outer_overdue);
}

static void see_nested(void *context) {
    (void)context;
    late = 0;
    see(futures[1], 1);
    CHECK(late == 0 || passed_ns() >= 2 * SECOND);
    see(futures[0], 0);
    end(2);
}

static void set_up_nested(void) {
    begin_nested(&outer_task, SECOND, &number_task, 2 * SECOND, see_nested);
}

static void check_nested(void) {
    CHECK(late == 0 || passed_ns() >= SECOND);
    check_counts(2);
}

const scenario deadline_outer = {.name = "deadline_outer",
                                 .set_up = set_up_outer,
                                 .check = check_second_in_time,
                                 .bound = 2,
                                 .lazy_clock = true};
const scenario deadline_inner = {.name = "deadline_inner",
                                 .set_up = set_up_inner,
                                 .check = check_second_in_time,
                                 .bound = 2,
                                 .lazy_clock = true};
const scenario deadline_outer_again = {.name = "deadline_outer_again",
                                       .set_up = set_up_outer_again,
                                       .check = check_second_in_time,
                                       .bound = 2,
                                       .lazy_clock = true};
const scenario deadline_nested = {
    .name = "deadline_nested", .set_up = set_up_nested, .check = check_nested, .bound = 1};

/* ---- the items of a chunk: each has the whole time ------------------------------------------- */

enum {
    ITEMS = 2
};

typedef struct chunk_argument {
    cfi_chunk_header header;
    uint64_t items[ITEMS];
} chunk_argument;

static int64_t until_ns[ITEMS]; /* the end of each item's time */

/* The second item ends only when the caller has arrived. */
static int run_item(const void *arg, void *result, cf_task_context *ctx) {
    uint64_t i = *(const uint64_t *)arg;
    until_ns[i] = ctx->until_ns;
    if (i > 0) {
        pool_await(1);
    }
    return number_task.run(arg, result, ctx);
}

static void see_chunk(void *context) {
    (void)context;
    late = 0;
    see_overdue(0);
    CHECK(until_ns[1] == 0 || sim_now_ns() >= until_ns[1]);
    end(1);
}

static void set_up_chunk(void) {
    chunk_argument argument = {
        .header = {.run = run_item,
                   .arg_size = sizeof(uint64_t),
                   .result_size = sizeof(uint64_t),
                   .timeout_ns = SECOND,
                   .count = ITEMS,
                   .attempt = 1,
                   .together = 1},
        .items = {0, 1},
    };
    const cf_task chunk_task = {
        .name = "chunk",
        .run = cfi_chunk_run,
        .arg_size = sizeof argument,
        .result_size = cfi_chunk_result_size(sizeof(uint64_t), ITEMS),
        .unzeroed = true,
    };
    begin(1);
    CHECK(cfi_deadlines_start(executor) == CF_OK);
    until_ns[0] = until_ns[1] = 0;
    CHECK(cf_executor_submit(executor, &chunk_task, &argument, &futures[0]) == CF_OK);
    cfi_chunk_progress *progress = (void *)cfi_future_result(futures[0], executor->queue.base);
    *progress = (cfi_chunk_progress){.end = ITEMS};
    pool_worker(0, futures[0]);
    sim_thread("caller", see_chunk, NULL);
}

static void check_chunk(void) {
    check_counts(1);
}

const scenario deadline_chunk = {
    .name = "deadline_chunk", .set_up = set_up_chunk, .check = check_chunk, .bound = 2};

/* ---- the run was declared over its time, and its thread is still in the slot ----------------- */

static void fill(unsigned tasks, const cf_future *occupied) {
    for (unsigned i = 0; i < tasks; i++) {
        cf_future *future = pool_submit(&number_task, 1);
        CHECK(future != occupied);
        CHECK(cf_future_cancel(future));
        cf_future_release(future);
    }
}

static void go_round_slabs(void *context) {
    (void)context;
    CHECK(cf_future_result(futures[0], CF_FOREVER, NULL) == CF_EDEADLINE);
    cf_future_release(futures[0]);
    fill(3 * FULL, futures[0]);
    pool_arrive();
    cf_executor_destroy(executor);
}

/* The task has the last slot of its slab; the others are given up. */
static void set_up_occupied(void) {
    begin(1);
    fill(FULL - 1, NULL);
    futures[0] = submit(&overdue_task, 0, SECOND);
    pool_worker(0, futures[0]);
    sim_thread("caller", go_round_slabs, NULL);
}

const scenario deadline_occupied = {.name = "deadline_occupied",
                                    .set_up = set_up_occupied,
                                    .check = check_one_ran,
                                    .bound = 2,
                                    .lazy_clock = true};

/* ---- the program is stopped, between any two steps ------------------------------------------- */

/* A stop may count for two looks. */
#define STOP         (25 * CFI_LOOK_NS)
#define LONGER_LIMIT (3 * CFI_LOOK_NS)

static void stop(void *context) {
    (void)context;
    sim_pass(STOP);
}

static void stop_and_arrive(void *context) {
    stop(context);
    pool_arrive();
}

static void set_up_stop(void (*terminal)(void *), void (*caller)(void *)) {
    begin(1);
    futures[0] = submit(&overdue_task, 0, LONGER_LIMIT);
    pool_worker(0, futures[0]);
    sim_thread("terminal", terminal, NULL);
    sim_thread("caller", caller, NULL);
}

/* The task ends as soon as the program goes on. */
static void set_up_stopped(void) {
    set_up_stop(stop_and_arrive, see_one);
}

/* The task has its whole time beside the stop, and no more. */
static void set_up_stopped_overdue(void) {
    set_up_stop(stop, see_one_overdue);
}

static void check_stopped(void) {
    CHECK(late == 0 && passed_ns() >= STOP);
    check_counts(1);
}

static void check_stopped_overdue(void) {
    const int64_t counted_ns = told_ns - STOP;
    CHECK(counted_ns >= LONGER_LIMIT - 2 * CFI_LOOK_NS && counted_ns < LONGER_LIMIT + A_LITTLE);
    check_counts(1);
}

const scenario deadline_stopped = {.name = "deadline_stopped",
                                   .set_up = set_up_stopped,
                                   .check = check_stopped,
                                   .bound = 2,
                                   .lazy_clock = true};
const scenario deadline_stopped_overdue = {.name = "deadline_stopped_overdue",
                                           .set_up = set_up_stopped_overdue,
                                           .check = check_stopped_overdue,
                                           .bound = 2,
                                           .lazy_clock = true};

/* ---- the worker is stopped before it has told the deadline thread ------------------------------ */

/* It may also be stopped before it has shown its limit: then nobody knows of one. */
static void see_stopped_worker(void *context) {
    (void)context;
    cf_status status = cf_future_result(futures[0], 2 * SECOND, NULL);
    int64_t shown_ns = plat_load_acquire(&executor->queue.records[0].run_until_ns);
    CHECK(status == CF_EDEADLINE || (status == CF_ETIMEDOUT && shown_ns == 0));
    pool_arrive();
    cfi_deadlines_stop(executor);
}

static void set_up_stopped_worker(void) {
    begin(1);
    futures[0] = submit(&overdue_task, 0, SECOND);
    pool_may_stop(pool_worker(0, futures[0]), 0);
    sim_thread("caller", see_stopped_worker, NULL);
}

static void check_nothing(void) {
}

const scenario deadline_stopped_worker = {.name = "deadline_stopped_worker",
                                          .set_up = set_up_stopped_worker,
                                          .check = check_nothing,
                                          .bound = 2,
                                          .deaths = true,
                                          .lazy_clock = true};
