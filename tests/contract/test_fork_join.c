/* Fork-join: jobs run once, whoever runs them; idle workers steal them where the executor shares memory; who
 * joins helps; time limits reach them. */
#define CF_FORK_CHECKS
#include "nested.h"
#include "stats.h"

#include <cfutures_fork.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(fork_join, .timeout = TEST_SECONDS);

/* ---- recursion ------------------------------------------------------------------------------- */

typedef struct fib {
    uint64_t n, value;
} fib;

static void run_fib(cf_strand *strand, void *job) {
    fib *f = job;
    if (f->n < 2) {
        f->value = f->n;
        return;
    }
    fib a = {.n = f->n - 1}, b = {.n = f->n - 2};
    cf_both(strand, run_fib, &a, run_fib, &b);
    f->value = a.value + b.value;
}

static int run_fib_task(const void *arg, void *result, cf_task_context *ctx) {
    fib f = {.n = *(const uint64_t *)arg};
    run_fib(cf_task_strand(ctx), &f);
    *(uint64_t *)result = f.value;
    return 0;
}

static const cf_task fib_task = {.name = "fib",
                                 .run = run_fib_task,
                                 .arg_size = sizeof(uint64_t),
                                 .result_size = sizeof(uint64_t)};

Test(fork_join, computes_on_every_executor) {
    for (size_t i = 0; i < COUNT_OF(worker_counts); i++) {
        cf_executor *ex = create(worker_counts[i]);
        for (uint64_t n = 20; n > 0; n--) {
            uint64_t a = 0, b = 1;
            for (uint64_t k = 0; k < n; k++) {
                uint64_t next = a + b;
                a = b;
                b = next;
            }
            EXPECT_EQ(take(submit(ex, &fib_task, &n)), a);
        }
        cf_executor_destroy(ex);
    }
}

Test(fork_join, several_regions_side_by_side) {
    cf_executor *ex = create(4);
    cf_future *futures[32];
    const uint64_t n = 18;
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < COUNT_OF(futures); i++) {
            futures[i] = submit(ex, &fib_task, &n);
        }
        for (size_t i = 0; i < COUNT_OF(futures); i++) {
            EXPECT_EQ(take(futures[i]), 2584);
        }
    }
    cf_executor_destroy(ex);
}

/* More jobs at once than others can steal. */
static void run_deep(cf_strand *strand, void *job) {
    fib *f = job, below = {.n = f->n - 1}, one = {.n = 1};
    if (f->n == 0) {
        return;
    }
    cf_both(strand, run_deep, &below, run_fib, &one);
    f->value = below.value + one.value;
}

Test(fork_join, jobs_beyond_those_that_are_shared) {
    NEEDS_OWN_EXECUTOR();
    cf_executor *ex = create(2);
    fib f = {.n = 3 * CF_FORKS_SHARED};
    EXPECT(CF_OK, cf_executor_run(ex, run_deep, &f, NULL));
    EXPECT_EQ(f.value, 3 * CF_FORKS_SHARED);
    EXPECT(CF_EINVAL, cf_executor_run(ex, NULL, &f, NULL));
    cf_executor_destroy(ex);
    EXPECT(CF_EINVAL, cf_executor_run(NULL, run_deep, &f, NULL));
}

enum {
    BIG = 32 << 20 /* four times the usual limit */
};

static void touch_much_stack(cf_strand *strand, void *job) {
    volatile char big[BIG];
    (void)strand;
    for (size_t i = 0; i < BIG; i += PAGE) {
        big[i] = 1;
    }
    *(char *)job = big[BIG - PAGE];
}

Test(fork_join, stack_size) {
    NEEDS_OWN_EXECUTOR();
    if (strcmp(row()->name, "thread_pool") != 0) {
        return; /* the others ignore it */
    }
    static const size_t sizes[] = {1, 100001, 2 * (size_t)BIG, 2 * (size_t)BIG + 1};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        cf_executor *ex = create_with((cf_pool_options){.max_workers = 1, .stack_size = sizes[i]});
        char touched = 0;
        EXPECT_EQ(take(submit(ex, &square_task, &(uint64_t){7})), 49);
        if (sizes[i] > BIG) {
            EXPECT(CF_OK, cf_executor_run(ex, touch_much_stack, &touched, NULL));
            EXPECT_EQ(touched, 1);
        }
        cf_executor_destroy(ex);
    }
}

/* ---- parallel for ---------------------------------------------------------------------------- */

enum {
    PLACES = 10000
};

static void count_each(cf_strand *strand, size_t first, size_t last, void *context) {
    _Atomic uint32_t *visits = context;
    (void)strand;
    for (size_t i = first; i < last; i++) {
        atomic_fetch_add(&visits[i], 1);
    }
}

typedef struct loop {
    size_t first, last, grain;
    _Atomic uint32_t visits[PLACES];
} loop;

static void run_loop(cf_strand *strand, void *job) {
    loop *l = job;
    cf_fork_for(strand, l->first, l->last, l->grain, count_each, l->visits);
}

Test(fork_join, for_visits_each_place_once) {
    static const size_t grains[] = {0, 1, 7, 100, PLACES, SIZE_MAX};
    NOT_REMOTE(USES_EXECUTOR);
    loop *l = shared_alloc(sizeof *l);
    cf_executor *ex = create(3);
    uint32_t visits = 0;
    l->first = 10;
    l->last = PLACES - 10;
    for (size_t i = 0; i < COUNT_OF(grains); i++) {
        l->grain = grains[i];
        EXPECT(CF_OK, cf_executor_run(ex, run_loop, l, NULL));
        visits++;
        for (size_t k = 0; k < PLACES; k++) {
            EXPECT_EQ(atomic_load(&l->visits[k]), k < 10 || k >= PLACES - 10 ? 0 : visits);
        }
    }
    l->last = l->first;
    EXPECT(CF_OK, cf_executor_run(ex, run_loop, l, NULL));
    EXPECT_EQ(atomic_load(&l->visits[10]), visits);
    cf_executor_destroy(ex);
    shared_free(l, sizeof *l);
}

Test(fork_join, in_another_programs_process_is_refused) {
    if (!row()->is_remote) {
        cr_skip_test("%s: its workers can have the job", row()->name);
    }
    loop l = {0};
    cf_executor *ex = create(1);
    EXPECT(CF_EUNSUPPORTED, cf_executor_run(ex, run_loop, &l, NULL));
    EXPECT_EQ(stats_of(ex).submitted, 0);
    cf_executor_destroy(ex);
}

/* ---- stealing -------------------------------------------------------------------------------- */

static void add_one(cf_strand *strand, void *job) {
    (void)strand;
    counter_add(job, 1);
}

static void await_two(cf_strand *strand, void *job) {
    (void)strand;
    cr_assert(counter_wait(job, 1), "nobody stole the other half");
}

static void run_coarse(cf_strand *strand, void *job) {
    cf_both(strand, await_two, job, add_one, job);
}

Test(fork_join, an_idle_worker_steals_the_other_half) {
    NEEDS_OWN_EXECUTOR();
    NEEDS(runs_beside_caller);
    cf_executor *ex = create(2);
    for (uint64_t round = 1; round <= 100; round++) {
        counter c = {0};
        cf_stats stats;
        EXPECT(CF_OK, cf_executor_run(ex, run_coarse, &c, NULL));
        EXPECT_EQ(counter_get(&c), 1);
        EXPECT(CF_OK, cf_executor_stats(ex, &stats));
        EXPECT_EQ(stats.submitted, 2 * round); /* a stolen job is a task */
        EXPECT_EQ(stats.finished, 2 * round);
    }
    cf_executor_destroy(ex);
}

/* The stolen half forks in turn, and only the one who waits for it can run that. */
static void steal_and_need(cf_strand *strand, void *job) {
    counter *c = job;
    counter_add(&c[0], 1); /* stolen */
    cf_both(strand, await_two, &c[1], add_one, &c[1]);
}

static void await_theft(cf_strand *strand, void *job) {
    (void)strand;
    counter *c = job;
    cr_assert(counter_wait(&c[0], 1), "nobody stole the other half");
}

static void run_helped(cf_strand *strand, void *job) {
    cf_both(strand, await_theft, job, steal_and_need, job);
}

Test(fork_join, who_joins_helps) {
    NEEDS_OWN_EXECUTOR();
    NEEDS(runs_beside_caller);
    cf_executor *ex = create(2);
    for (int round = 0; round < 100; round++) {
        counter c[2] = {{0}, {0}};
        EXPECT(CF_OK, cf_executor_run(ex, run_helped, c, NULL));
        EXPECT_EQ(counter_get(&c[1]), 1);
    }
    cf_executor_destroy(ex);
}

/* ---- with futures in between ----------------------------------------------------------------- */

typedef struct mixed {
    cf_executor *ex;
    uint64_t left, jobs;
    uint64_t *seed;
} mixed;

static void run_mixed(cf_strand *strand, void *job);

static int run_mixed_task(const void *arg, void *result, cf_task_context *ctx) {
    mixed m = *(const mixed *)arg;
    run_mixed(cf_task_strand(ctx), &m);
    *(uint64_t *)result = m.jobs;
    return 0;
}

static const cf_task mixed_task = {.name = "mixed",
                                   .run = run_mixed_task,
                                   .arg_size = sizeof(mixed),
                                   .result_size = sizeof(uint64_t)};

/* Each level forks one half and submits a task for another part. */
static void run_mixed(cf_strand *strand, void *job) {
    mixed *m = job;
    m->jobs = 1;
    if (m->left == 0) {
        spin_for(MICROSECOND);
        return;
    }
    mixed parts[3];
    for (size_t i = 0; i < 3; i++) {
        parts[i] = (mixed){.ex = m->ex, .left = m->left - 1};
    }
    cf_future *f = submit(m->ex, &mixed_task, &parts[2]);
    cf_both(strand, run_mixed, &parts[0], run_mixed, &parts[1]);
    m->jobs += parts[0].jobs + parts[1].jobs + take(f);
}

Test(fork_join, jobs_that_submit_and_wait) {
    NEEDS_OWN_EXECUTOR();
    for (size_t i = 0; i < COUNT_OF(worker_counts); i++) {
        cf_executor *ex = create(worker_counts[i]);
        for (int round = 0; round < 10; round++) {
            mixed m = {.ex = ex, .left = 6};
            EXPECT(CF_OK, cf_executor_run(ex, run_mixed, &m, NULL));
            EXPECT_EQ(m.jobs, (3 * 729 - 1) / 2);
        }
        cf_executor_destroy(ex);
    }
}

/* ---- the end --------------------------------------------------------------------------------- */

typedef struct endless {
    counter begun;
    _Atomic uint32_t ended;
} endless;

static void run_until_cancelled(cf_strand *strand, void *job) {
    endless *e = job;
    counter_add(&e->begun, 1);
    const int64_t until_ns = now_ns() + LONG_WAIT;
    while (!cf_strand_cancelled(strand) && now_ns() < until_ns) {
        spin_for(10 * MICROSECOND);
    }
    atomic_fetch_add(&e->ended, cf_strand_cancelled(strand));
}

static void run_endless(cf_strand *strand, void *job) {
    cf_both(strand, run_until_cancelled, job, run_until_cancelled, job);
}

static int run_endless_task(const void *arg, void *result, cf_task_context *ctx) {
    (void)result;
    run_endless(cf_task_strand(ctx), *(endless *const *)arg);
    return 0;
}

static const cf_task endless_task = {
    .name = "endless", .run = run_endless_task, .arg_size = sizeof(endless *)};

Test(fork_join, a_time_limit_reaches_stolen_jobs) {
    NEEDS_OWN_EXECUTOR();
    cf_executor *ex = create(2);
    endless e = {.ended = 0};
    const cf_submit_options limit = {.timeout_ns = 50 * MILLISECOND};
    EXPECT(CF_EDEADLINE, cf_executor_run(ex, run_endless, &e, &limit));
    cf_executor_destroy(ex);
    EXPECT_EQ(atomic_load(&e.ended), 2);
}

Test(fork_join, terminate_reaches_stolen_jobs) {
    NEEDS_OWN_EXECUTOR();
    NEEDS(runs_beside_caller);
    cf_executor *ex = create(2);
    endless e = {.ended = 0}, *argument = &e;
    cf_future *f = submit(ex, &endless_task, &argument);
    cr_assert(counter_wait(&e.begun, 2)); /* one half was stolen */
    EXPECT(CF_OK, cf_executor_terminate_workers(ex));
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, NULL));
    cf_future_release(f);
    cf_executor_destroy(ex);
    EXPECT_EQ(atomic_load(&e.ended), 2);
}

/* ---- what is forbidden ----------------------------------------------------------------------- */

static void take_out_of_order(cf_strand *strand, void *job) {
    cf_fork *first = cf_fork_push(strand, add_one, job);
    cf_fork_push(strand, add_one, job);
    cf_fork_take(strand, first);
}

Test(fork_join, out_of_order_is_caught, .signal = SIGABRT) {
    if (!row()->shares_memory || !row()->runs_beside_caller) {
        abort(); /* jobs that nobody steals have one place for all */
    }
    counter c = {0};
    cf_executor *ex = create(1);
    cf_executor_run(ex, take_out_of_order, &c, NULL);
}

static void leave_job(cf_strand *strand, void *job) {
    cf_fork_push(strand, add_one, job);
}

/* An assertion of the library says so. Without assertions the job is lost, and the pool goes on. */
Test(fork_join, a_job_that_is_not_taken_is_caught, .signal = SIGABRT) {
    if (!row()->shares_memory || !row()->runs_beside_caller) {
        abort(); /* nobody else knows of the job */
    }
    counter c = {0};
    cf_executor *ex = create(1);
#ifdef CFI_ASSERTIONS
    dup2(open("/dev/null", O_WRONLY), STDERR_FILENO); /* ctest fails what prints an assertion */
    cf_executor_run(ex, leave_job, &c, NULL);
#else
    EXPECT(CF_OK, cf_executor_run(ex, leave_job, &c, NULL));
    EXPECT_EQ(take(submit(ex, &fib_task, &(uint64_t){10})), 55);
    EXPECT_EQ(counter_get(&c), 0);
    cf_executor_destroy(ex);
    abort();
#endif
}
