/* By default an executor inside a task has as many workers as that task's worker has processors to itself, so
 * that levels of executors do not multiply their threads. */
#include "rows.h"

#include <errno.h>

TestSuite(shares, .timeout = TEST_SECONDS);

static unsigned share(unsigned processors, unsigned workers) {
    return processors > workers ? processors / workers : 1;
}

/* ---- the default ----------------------------------------------------------------------------- */

/* So many workers gets who does not say how many, here. */
static unsigned default_here(void) {
    cf_executor *ex = NULL;
    if (cf_thread_pool_create(NULL, &ex) != CF_OK) {
        return 0;
    }
    unsigned workers = cf_executor_max_workers(ex);
    cf_executor_destroy(ex);
    return workers;
}

static int run_ask(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg;
    (void)ctx;
    *(uint64_t *)result = default_here();
    return 0;
}

static const cf_task ask_task = {.run = run_ask, .result_size = sizeof(uint64_t)};

Test(shares, are_the_default_inside_tasks) {
    const unsigned processors = cf_cpu_count(NULL);
    const unsigned counts[] = {1, 2, 3, processors, processors + 1, 40};
    EXPECT_EQ(default_here(), processors);
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        const unsigned workers = workers_of(counts[i]);
        cf_executor *ex = create(workers);
        for (unsigned k = 0; k < 3; k++) {
            EXPECT_EQ(take(submit(ex, &ask_task, NULL)), share(processors, workers));
        }
        cf_executor_destroy(ex);
    }
    EXPECT_EQ(default_here(), processors);
}

Test(shares, of_the_default_number_of_workers) {
    cf_executor *ex = create_with((cf_pool_options){0});
    EXPECT_EQ(take(submit(ex, &ask_task, NULL)),
              share(cf_cpu_count(NULL), cf_executor_max_workers(ex)));
    cf_executor_destroy(ex);
}

/* Makes an executor of some kind and asks in a task of it. */
typedef struct inner {
    cf_status (*create)(const cf_pool_options *options, cf_executor **executor);
    unsigned workers;
} inner;

static int run_ask_inside(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    const inner *in = arg;
    cf_executor *ex = NULL;
    cf_future *f = NULL;
    if (in->create(&(cf_pool_options){.max_workers = in->workers}, &ex) != CF_OK) {
        return EAGAIN;
    }
    bool obeyed = in->workers == 0 || cf_executor_max_workers(ex) == in->workers;
    bool asked = cf_executor_submit(ex, &ask_task, NULL, &f) == CF_OK &&
                 cf_future_result(f, LONG_WAIT, result) == CF_OK;
    cf_future_release(f);
    cf_executor_destroy(ex);
    return obeyed && asked ? 0 : EINVAL;
}

static const cf_task ask_inside_task = {
    .run = run_ask_inside, .arg_size = sizeof(inner), .result_size = sizeof(uint64_t)};

Test(shares, are_shared_again) {
    NOT_REMOTE(USES_EXECUTOR);
    static const unsigned outer_counts[] = {1, 2}, inner_counts[] = {1, 2, 5};
    const unsigned processors = cf_cpu_count(NULL);
    for (size_t i = 0; i < COUNT_OF(outer_counts); i++) {
        const unsigned workers = workers_of(outer_counts[i]);
        const unsigned around = share(processors, workers);
        cf_executor *ex = create(workers);
        for (size_t k = 0; k < COUNT_OF(inner_counts); k++) {
            const inner threads = {cf_thread_pool_create, inner_counts[k]};
            EXPECT_EQ(take(submit(ex, &ask_inside_task, &threads)), share(around, threads.workers));
        }
        const inner by_default = {cf_thread_pool_create, 0}, alone = {cf_serial_create, 1};
        EXPECT_EQ(take(submit(ex, &ask_inside_task, &by_default)), 1);
        EXPECT_EQ(take(submit(ex, &ask_inside_task, &alone)), around);
        cf_executor_destroy(ex);
    }
}

static int run_ask_elsewhere(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    cf_future *f = NULL;
    if (cf_executor_submit(*(cf_executor *const *)arg, &ask_task, NULL, &f) != CF_OK) {
        return EAGAIN;
    }
    cf_status status = cf_future_result(f, LONG_WAIT, result);
    cf_future_release(f);
    return status == CF_OK ? 0 : EINVAL;
}

/* serial, made outside where all processors are to be had, works on whatever thread submits. */
Test(shares, are_not_lost_in_a_serial_executor) {
    NEEDS(shares_memory);
    static const cf_task task = {.run = run_ask_elsewhere,
                                 .arg_size = sizeof(cf_executor *),
                                 .result_size = sizeof(uint64_t)};
    const unsigned workers = workers_of(cf_cpu_count(NULL));
    cf_executor *ex = create(workers), *serial = NULL;
    EXPECT(CF_OK, cf_serial_create(NULL, &serial));
    EXPECT_EQ(take(submit(ex, &task, &serial)), share(cf_cpu_count(NULL), workers));
    EXPECT_EQ(take(submit(serial, &ask_task, NULL)), cf_cpu_count(NULL));
    cf_executor_destroy(serial);
    cf_executor_destroy(ex);
}

static int keep_default(void *context, unsigned worker, void **local) {
    (void)worker;
    counter_add(context, default_here());
    *local = NULL;
    return 0;
}

Test(shares, hold_in_an_initializer) {
    counter *c = shared_alloc(sizeof *c);
    const unsigned workers = workers_of(2);
    cf_executor *ex = create_with(
        (cf_pool_options){.max_workers = workers, .initializer = keep_default, .context = c});
    take(submit(ex, &square_task, &(uint64_t){2}));
    cr_assert(counter_get(c) >= share(cf_cpu_count(NULL), workers));
    cf_executor_destroy(ex);
    EXPECT_EQ(counter_get(c) % share(cf_cpu_count(NULL), workers), 0);
    shared_free(c, sizeof *c);
}

/* ---- how many threads there are -------------------------------------------------------------- */

enum {
    FLOOR_MOST = 64 /* workers of one executor */
};

/* A task that has executors below it, each with as many workers as it gets, all of them at work. */
typedef struct floor_plan {
    cf_status (*create)(const cf_pool_options *options, cf_executor **executor);
    unsigned below;  /* levels */
    counter *ground; /* tasks at the lowest level */
    counter *gate;   /* which wait for it */
} floor_plan;

static int run_floor(const void *arg, void *result, cf_task_context *ctx);
static const cf_task floor_task = {.run = run_floor, .arg_size = sizeof(floor_plan)};

static int fill_floor(cf_executor *ex, const floor_plan *plan) {
    cf_future *futures[FLOOR_MOST];
    unsigned count = cf_executor_max_workers(ex), right = 0;
    if (count > COUNT_OF(futures)) {
        return E2BIG;
    }
    for (unsigned i = 0; i < count; i++) {
        if (cf_executor_submit(ex, &floor_task, plan, &futures[i]) != CF_OK) {
            return EAGAIN;
        }
    }
    for (unsigned i = 0; i < count; i++) {
        right += cf_future_result(futures[i], LONG_WAIT, NULL) == CF_OK;
        cf_future_release(futures[i]);
    }
    return right == count ? 0 : EINVAL;
}

static int run_floor(const void *arg, void *result, cf_task_context *ctx) {
    (void)result;
    (void)ctx;
    floor_plan plan = *(const floor_plan *)arg;
    if (plan.below == 0) {
        counter_add(plan.ground, 1);
        return counter_wait(plan.gate, 1) ? 0 : ETIMEDOUT;
    }
    cf_executor *ex = NULL;
    plan.below--;
    if (plan.create(NULL, &ex) != CF_OK) {
        return EAGAIN;
    }
    int error = fill_floor(ex, &plan);
    cf_executor_destroy(ex);
    return error;
}

/* One task or `workers` of them at the top, and two levels of executors below. */
static void build(unsigned workers) {
    enum {
        BELOW = 2
    };
    const size_t before = thread_count();
    const unsigned processors = cf_cpu_count(NULL);
    counter *c = shared_alloc(2 * sizeof *c);
    cf_executor *ex = create(workers);
    const floor_plan plan = {row()->create, BELOW, &c[0], &c[1]};
    cf_future *futures[FLOOR_MOST];
    for (unsigned i = 0; i < workers; i++) {
        futures[i] = submit(ex, &floor_task, &plan);
    }
    const unsigned ground = workers * share(processors, workers);
    cr_assert(counter_wait(&c[0], ground));
    if (row()->shares_memory) { /* the upper two levels wait */
        EXPECT_EQ(thread_count() - before, workers + BELOW * ground);
        cr_assert(ground <= (workers > processors ? workers : processors));
    }
    counter_add(&c[1], 1);
    for (unsigned i = 0; i < workers; i++) {
        EXPECT(CF_OK, cf_future_result(futures[i], LONG_WAIT, NULL));
        cf_future_release(futures[i]);
    }
    EXPECT_EQ(counter_get(&c[0]), ground);
    cf_executor_destroy(ex);
    cr_assert(threads_fall_to(before));
    shared_free(c, 2 * sizeof *c);
}

Test(shares, keep_three_levels_as_wide_as_the_machine) {
    NEEDS(runs_beside_caller);
    NOT_REMOTE(USES_EXECUTOR);
    if (cf_cpu_count(NULL) > FLOOR_MOST) {
        cr_skip_test("more than %d processors", FLOOR_MOST);
    }
    build(1);
    build(2);
    build(cf_cpu_count(NULL));
}

Test(shares, keep_three_levels_as_wide_as_the_first) {
    NEEDS(runs_beside_caller);
    NOT_REMOTE(USES_EXECUTOR);
    build(cf_cpu_count(NULL) < 20 ? 2 * cf_cpu_count(NULL) + 1 : 40);
}
