/* OpenMP regions inside the tasks of pools: each gets the processors that its worker has to itself. */
#include "../check.h"

#include <cfutures_openmp.h>

#include <errno.h>
#include <omp.h>
#include <stdlib.h>

TestSuite(regions, .timeout = TEST_SECONDS);
TestSuite(environment, .timeout = TEST_SECONDS); /* run with OMP_NUM_THREADS=3 */

typedef cf_status create_fn(const cf_pool_options *options, cf_executor **executor);

static create_fn *const pools[] = {cf_process_pool_create, cf_thread_pool_create};

static unsigned share(unsigned workers) {
    const unsigned processors = cf_cpu_count(NULL);
    return processors > workers ? processors / workers : 1;
}

static cf_executor *create(create_fn *make, cf_pool_options options) {
    cf_executor *ex = NULL;
    EXPECT(CF_OK, make(&options, &ex));
    cr_assert(ex != NULL);
    return ex;
}

/* Tells how many members its region has, and keeps them until the gate is open. */
typedef struct visit {
    counter *members;
    counter *gate;
} visit;

static int run_visit(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    const visit *v = arg;
    unsigned in_time = 0, members = 0;
#pragma omp parallel reduction(+ : in_time, members)
    {
        counter_add(v->members, 1);
        in_time += counter_wait(v->gate, 1);
        members++;
    }
    *(unsigned *)result = members;
    return in_time == members ? 0 : ETIMEDOUT;
}

static const cf_task visit_task = {
    .run = run_visit, .arg_size = sizeof(visit), .result_size = sizeof(unsigned)};

/* All workers in a region at once. `c`: two counters, made before the executor. */
static void visit_all(cf_executor *ex, counter *c, unsigned workers, unsigned members,
                      bool count_threads) {
    const visit v = {.members = &c[0], .gate = &c[1]};
    const size_t before = thread_count();
    cf_future *futures[16];
    for (unsigned i = 0; i < workers; i++) {
        EXPECT(CF_OK, cf_executor_submit(ex, &visit_task, &v, &futures[i]));
    }
    cr_assert(counter_wait(&c[0], workers * members));
    if (count_threads) {
        EXPECT_EQ(thread_count() - before, workers * members);
    }
    counter_add(&c[1], 1);
    for (unsigned i = 0; i < workers; i++) {
        unsigned seen = 0;
        EXPECT(CF_OK, cf_future_result(futures[i], LONG_WAIT, &seen));
        EXPECT_EQ(seen, members);
        cf_future_release(futures[i]);
    }
    EXPECT_EQ(counter_get(&c[0]), workers * members);
}

static void expect_members(unsigned workers, unsigned members) {
    const size_t before = thread_count();
    for (size_t i = 0; i < COUNT_OF(pools); i++) {
        counter *c = shared_alloc(2 * sizeof *c);
        cf_executor *ex = create(pools[i], (cf_pool_options){.max_workers = workers});
        visit_all(ex, c, workers, members, pools[i] == cf_thread_pool_create);
        cf_executor_destroy(ex);
        cr_assert(threads_fall_to(before));
        shared_free(c, 2 * sizeof *c);
    }
}

Test(regions, have_the_share_of_their_worker) {
    expect_members(1, share(1));
    expect_members(2, share(2));
    expect_members(7, share(7));
}

Test(regions, have_it_in_each_life) {
    enum {
        LIVES = 3
    };
    for (size_t i = 0; i < COUNT_OF(pools); i++) {
        counter *c = shared_alloc(2 * LIVES * sizeof *c);
        cf_executor *ex =
            create(pools[i], (cf_pool_options){.max_workers = 1, .max_tasks_per_worker = 1});
        for (int life = 0; life < LIVES; life++) {
            visit_all(ex, &c[2 * life], 1, share(1), false);
        }
        cf_executor_destroy(ex);
        shared_free(c, 2 * LIVES * sizeof *c);
    }
}

Test(regions, of_the_callers_keep_their_threads) {
    const int before = omp_get_max_threads();
    cf_executor *ex = create(cf_thread_pool_create, (cf_pool_options){.max_workers = 7});
    counter c[4] = {{0}, {0}, {0}, {1}};
    visit_all(ex, &c[0], 7, share(7), true);
    EXPECT_EQ(omp_get_max_threads(), before);
    cf_executor *serial = create(cf_serial_create, (cf_pool_options){0});
    const visit v = {.members = &c[2], .gate = &c[3]};
    EXPECT(CF_OK, cf_executor_submit(serial, &visit_task, &v, NULL));
    EXPECT_EQ(counter_get(&c[2]), before); /* it runs on the caller's thread */
    cf_executor_destroy(serial);
    cf_executor_destroy(ex);
}

static int run_explicit(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg;
    (void)ctx;
    unsigned members = 0;
#pragma omp parallel num_threads(5) reduction(+ : members)
    members++;
    *(unsigned *)result = members;
    return 0;
}

Test(regions, have_what_they_ask_for) {
    static const cf_task task = {.run = run_explicit, .result_size = sizeof(unsigned)};
    for (size_t i = 0; i < COUNT_OF(pools); i++) {
        cf_executor *ex = create(pools[i], (cf_pool_options){.max_workers = 2});
        unsigned seen[4];
        EXPECT(CF_OK, cf_executor_map(ex, &task, NULL, COUNT_OF(seen), seen, NULL));
        for (size_t k = 0; k < COUNT_OF(seen); k++) {
            EXPECT_EQ(seen[k], 5);
        }
        cf_executor_destroy(ex);
    }
}

/* Regions, in tasks of executors, in tasks of executors. */
typedef struct deep {
    create_fn *create;
    visit v;
} deep;

static int run_deep(const void *arg, void *result, cf_task_context *ctx) {
    (void)result;
    (void)ctx;
    const deep *d = arg;
    cf_executor *ex = NULL;
    cf_future *futures[64];
    if (d->create(NULL, &ex) != CF_OK || cf_executor_max_workers(ex) > COUNT_OF(futures)) {
        return EAGAIN;
    }
    const unsigned workers = cf_executor_max_workers(ex);
    unsigned right = 0;
    for (unsigned i = 0; i < workers; i++) {
        right += cf_executor_submit(ex, &visit_task, &d->v, &futures[i]) == CF_OK;
    }
    for (unsigned i = 0; i < right; i++) {
        unsigned members = 0;
        if (cf_future_result(futures[i], LONG_WAIT, &members) != CF_OK || members != 1) {
            return EINVAL;
        }
        cf_future_release(futures[i]);
    }
    cf_executor_destroy(ex);
    return right == workers ? 0 : EINVAL;
}

static void dig(create_fn *make, unsigned workers) {
    static const cf_task task = {.run = run_deep, .arg_size = sizeof(deep)};
    counter *c = shared_alloc(2 * sizeof *c);
    const size_t before = thread_count();
    cf_executor *ex = create(make, (cf_pool_options){.max_workers = workers});
    const deep d = {make, {&c[0], &c[1]}};
    cf_future *futures[16];
    for (unsigned i = 0; i < workers; i++) {
        EXPECT(CF_OK, cf_executor_submit(ex, &task, &d, &futures[i]));
    }
    const unsigned ground = workers * share(workers); /* regions, of one thread each */
    cr_assert(counter_wait(&c[0], ground));
    if (make != cf_process_pool_create) {
        EXPECT_EQ(thread_count() - before, workers + ground);
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

Test(regions, three_levels_deep) {
    static create_fn *const all[] = {cf_process_pool_create, cf_thread_pool_create,
                                     cf_openmp_create};
    if (cf_cpu_count(NULL) > 64) {
        cr_skip_test("more than 64 processors");
    }
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        dig(all[i], 1);
        dig(all[i], 2);
        dig(all[i], 5);
    }
}

Test(environment, num_threads_given) {
    expect_members(1, 3);
    expect_members(4, 3);
}
