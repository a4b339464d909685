/* What only the executor on OpenMP promises: its team beside the caller's own parallel regions, how
 * many workers there are when OpenMP or the system has fewer threads, and regions inside tasks. */
#define _GNU_SOURCE
#include "../check.h"

#include <cfutures_openmp.h>

#include <errno.h>
#include <omp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

TestSuite(team, .timeout = TEST_SECONDS);
TestSuite(environment, .timeout = TEST_SECONDS); /* each run with variables of its own */

static cf_executor *create(unsigned workers) {
    cf_executor *ex = NULL;
    EXPECT(CF_OK, cf_openmp_create(&(cf_pool_options){.max_workers = workers}, &ex));
    cr_assert(ex != NULL);
    return ex;
}

static unsigned workers_now(cf_executor *ex) {
    cf_stats stats;
    EXPECT(CF_OK, cf_executor_stats(ex, &stats));
    return stats.workers;
}

static cf_future *submit(cf_executor *ex, const cf_task *task, const void *arg) {
    cf_future *f = NULL;
    EXPECT(CF_OK, cf_executor_submit(ex, task, arg, &f));
    return f;
}

/* Some work on the executor, with all of its workers. */
static bool works(cf_executor *ex) {
    enum {
        N = 1000
    };
    uint64_t args[N], results[N] = {0};
    size_t right = 0;
    for (uint64_t i = 0; i < N; i++) {
        args[i] = i;
    }
    cf_status status = cf_executor_map(ex, &square_task, args, N, results, NULL);
    for (uint64_t i = 0; i < N; i++) {
        right += results[i] == i * i;
    }
    return status == CF_OK && right == N;
}

/* A parallel region of the calling thread's: how many threads it had, 0 if it went wrong. */
static unsigned region(unsigned threads) {
    unsigned members = 0;
    uint64_t sum = 0;
#pragma omp parallel num_threads(threads) reduction(+ : members)
    {
        members++;
#pragma omp barrier
#pragma omp for reduction(+ : sum)
        for (uint64_t i = 0; i < 1000; i++) {
            sum += i;
        }
    }
    return sum == 499500 ? members : 0;
}

/* Holds every worker at once; `c` are three counters. Gives how many began. */
static unsigned hold_all(cf_executor *ex, counter *c, cf_future **futures, unsigned workers) {
    const blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2]};
    for (unsigned i = 0; i < workers; i++) {
        futures[i] = submit(ex, &blocker_task, &b);
    }
    cr_assert(counter_wait(&c[0], workers));
    return counter_get(&c[0]);
}

static void let_go(counter *c, cf_future **futures, unsigned workers) {
    counter_add(&c[1], 1);
    for (unsigned i = 0; i < workers; i++) {
        EXPECT(CF_OK, cf_future_result(futures[i], LONG_WAIT, NULL));
        cf_future_release(futures[i]);
    }
}

/* ---- the caller's own regions ----------------------------------------------------------------- */

Test(team, callers_regions_before_beside_and_after) {
    EXPECT_EQ(region(3), 3);
    cf_executor *ex = create(4);
    EXPECT_EQ(region(2), 2);
    cr_assert(works(ex));
    EXPECT_EQ(region(3), 3);
    counter c[3] = {0};
    cf_future *futures[4];
    hold_all(ex, c, futures, 4);
    EXPECT_EQ(region(4), 4);
    let_go(c, futures, 4);
    EXPECT_EQ(region(1), 1);
    cf_executor_destroy(ex);
    EXPECT_EQ(region(3), 3);
}

Test(team, callers_threads_have_regions_while_it_works) {
    enum {
        ROUNDS = 200
    };
    cf_executor *ex = create(2);
    unsigned right = 0;
#pragma omp parallel num_threads(3) reduction(+ : right)
    for (int i = 0; i < ROUNDS; i++) {
        cf_future *f = NULL;
        uint64_t value = 0, n = (uint64_t)i;
        cf_status status = cf_executor_submit(ex, &square_task, &n, &f);
#pragma omp barrier
        right += status == CF_OK && cf_future_result(f, LONG_WAIT, &value) == CF_OK;
        right += value == n * n;
        cf_future_release(f);
    }
    EXPECT_EQ(right, 3 * 2 * ROUNDS);
    cf_executor_destroy(ex);
}

Test(team, is_made_and_ended_inside_callers_regions) {
    unsigned right = 0;
#pragma omp parallel num_threads(3) reduction(+ : right)
    {
        cf_executor *ex = NULL;
        right += cf_openmp_create(&(cf_pool_options){.max_workers = 2}, &ex) == CF_OK;
        right += works(ex);
        cf_executor_destroy(ex);
    }
    EXPECT_EQ(right, 6);
}

Test(team, leaves_the_callers_settings_alone) {
    omp_set_num_threads(3);
    omp_set_dynamic(1);
    cf_executor *ex = create(4);
    cr_assert(works(ex));
    EXPECT_EQ(omp_get_max_threads(), 3);
    EXPECT_EQ(omp_get_dynamic(), 1);
    EXPECT_EQ(workers_now(ex), 4);
    cf_executor_destroy(ex);
    EXPECT_EQ(omp_get_max_threads(), 3);
    EXPECT_EQ(omp_get_dynamic(), 1);
}

Test(team, two_of_them_and_a_region) {
    cf_executor *ex[2] = {create(2), create(3)};
    counter c[6] = {0};
    cf_future *futures[5];
    hold_all(ex[0], &c[0], &futures[0], 2);
    hold_all(ex[1], &c[3], &futures[2], 3);
    EXPECT_EQ(region(3), 3);
    let_go(&c[0], &futures[0], 2);
    cf_executor_destroy(ex[0]);
    let_go(&c[3], &futures[2], 3);
    cr_assert(works(ex[1]));
    cf_executor_destroy(ex[1]);
}

/* ---- inside a task ---------------------------------------------------------------------------- */

typedef struct position {
    unsigned worker, member, members, region;
    bool in_parallel;
} position;

static int run_position(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg;
    *(position *)result = (position){
        .worker = cf_task_worker(ctx),
        .member = (unsigned)omp_get_thread_num(),
        .members = (unsigned)omp_get_num_threads(),
        .in_parallel = omp_in_parallel(),
        .region = region(4),
    };
    return 0;
}

static const cf_task position_task = {.run = run_position, .result_size = sizeof(position)};

/* `inside`: threads that a region for four gets there. */
static void look_around(cf_executor *ex, unsigned workers, unsigned inside) {
    position seen[100];
    EXPECT(CF_OK, cf_executor_map(ex, &position_task, NULL, COUNT_OF(seen), seen, NULL));
    for (size_t i = 0; i < COUNT_OF(seen); i++) {
        EXPECT_EQ(seen[i].member, seen[i].worker);
        EXPECT_EQ(seen[i].members, workers);
        EXPECT_EQ(seen[i].in_parallel, workers > 1);
        EXPECT_EQ(seen[i].region, inside);
    }
}

Test(team, a_region_inside_a_task_has_one_thread) {
    cf_executor *ex = create(3);
    look_around(ex, 3, 1);
    cf_executor_destroy(ex);
}

static int child_of_a_member(void *context) {
    (void)context;
    HOST_CHECK(region(3) == 1); /* still inside the team's, as far as OpenMP knows */
    cf_executor *ex = NULL;
    HOST_CHECK(cf_openmp_create(&(cf_pool_options){.max_workers = 2}, &ex) == CF_OK);
    HOST_CHECK(works(ex));
    cf_executor_destroy(ex);
    return 0;
}

static int run_fork(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg;
    (void)result;
    (void)ctx;
    return host_run(child_of_a_member, NULL) == 0 ? 0 : ECHILD;
}

Test(team, a_task_may_fork) {
    static const cf_task fork_task = {.run = run_fork};
    cf_executor *ex = create(3);
    cr_assert(works(ex));
    for (int i = 0; i < 5; i++) {
        cf_future *f = submit(ex, &fork_task, NULL);
        EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, NULL));
        cf_future_release(f);
    }
    cf_executor_destroy(ex);
}

/* A pool of processes made after it, with regions in its tasks. */
Test(team, does_not_spoil_a_later_process_pool) {
    cf_executor *ex = create(2), *processes = NULL;
    cr_assert(works(ex));
    EXPECT(CF_OK, cf_process_pool_create(&(cf_pool_options){.max_workers = 2}, &processes));
    for (int i = 0; i < 4; i++) {
        position seen;
        cf_future *f = submit(processes, &position_task, NULL);
        EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, &seen));
        EXPECT_EQ(seen.region, 4);
        cf_future_release(f);
    }
    cr_assert(works(ex));
    cf_executor_destroy(processes);
    cf_executor_destroy(ex);
}

/* ---- how many threads ------------------------------------------------------------------------- */

Test(team, has_as_many_threads_as_workers) {
    static const unsigned counts[] = {1, 2, 7, 40};
    const size_t before = thread_count();
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        cf_executor *ex = create(counts[i]);
        EXPECT_EQ(thread_count(), before);
        cf_future *futures[40];
        counter c[3] = {0};
        EXPECT_EQ(hold_all(ex, c, futures, counts[i]), counts[i]);
        EXPECT_EQ(thread_count() - before, counts[i]);
        EXPECT_EQ(workers_now(ex), counts[i]);
        let_go(c, futures, counts[i]);
        cf_executor_destroy(ex);
        cr_assert(threads_fall_to(before));
    }
}

Test(team, counts_workers_as_they_are_needed) {
    cf_executor *ex = create(5);
    EXPECT_EQ(workers_now(ex), 0);
    for (unsigned i = 1; i < 4; i++) {
        cf_future *f = submit(ex, &square_task, &(uint64_t){3});
        EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, NULL));
        cf_future_release(f);
        EXPECT_EQ(workers_now(ex), i);
    }
    cf_executor_destroy(ex); /* with two that were never needed */
}

Test(team, of_a_thousand) {
    const size_t before = thread_count();
    cf_executor *ex = create(CF_WORKERS_MAX);
    cr_assert(works(ex));
    cr_assert(works(ex));
    EXPECT_EQ(workers_now(ex), CF_WORKERS_MAX);
    cf_executor_destroy(ex);
    cr_assert(threads_fall_to(before));
}

/* Uses an executor for eight where the system allows so few threads more. */
static bool works_or_refuses(unsigned *workers) {
    cf_executor *ex = NULL;
    cf_future *f = NULL;
    cf_stats stats;
    if (cf_openmp_create(&(cf_pool_options){.max_workers = 8}, &ex) != CF_OK) {
        return false;
    }
    cf_status status = cf_executor_submit(ex, &square_task, &(uint64_t){3}, &f);
    bool good = status == CF_EAGAIN ||
                (status == CF_OK && cf_future_result(f, LONG_WAIT, NULL) == CF_OK && works(ex));
    good = good && cf_executor_stats(ex, &stats) == CF_OK;
    *workers = stats.workers;
    cf_future_release(f);
    cf_executor_destroy(ex);
    return good;
}

static int host_with_few_threads(void *context) {
    (void)context;
    enum {
        NOBODY = 65534
    };
    if (geteuid() == 0) { /* on whom there is no limit */
        HOST_CHECK(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
    }
    const size_t before = thread_count();
    bool seen[9] = {false};
    struct rlimit threads;
    HOST_CHECK(getrlimit(RLIMIT_NPROC, &threads) == 0);
    for (rlim_t limit = 0; limit < threads.rlim_max && !seen[8]; limit++) {
        unsigned workers = 0;
        threads.rlim_cur = limit;
        HOST_CHECK(setrlimit(RLIMIT_NPROC, &threads) == 0);
        HOST_CHECK(works_or_refuses(&workers));
        HOST_CHECK(workers <= 8);
        HOST_CHECK(threads_fall_to(before));
        seen[workers] = true;
    }
    for (unsigned workers = 0; workers <= 8; workers++) {
        HOST_CHECK(seen[workers]);
    }
    return 0;
}

Test(team, few_threads) {
    EXPECT_HOST_OK(host_run(host_with_few_threads, NULL));
}

/* Each finds out how many threads there are, and starts them: the other must not do so in between. */
static pthread_barrier_t both_begin;

static void *start_a_team(void *arg) {
    unsigned workers = 0;
    pthread_barrier_wait(&both_begin);
    return works_or_refuses(&workers) ? arg : NULL;
}

static int host_with_two_teams(void *context) {
    (void)context;
    int token = 0;
    const rlim_t before = thread_count();
    HOST_CHECK(geteuid() != 0 || setresuid(64322, 64322, 64322) == 0); /* root has no limit */
    HOST_CHECK(pthread_barrier_init(&both_begin, NULL, 2) == 0);
    for (int round = 0; round < 40; round++) {
        struct rlimit limit;
        pthread_t threads[2];
        HOST_CHECK(getrlimit(RLIMIT_NPROC, &limit) == 0);
        limit.rlim_cur = before + 6 + (rlim_t)round % 12;
        HOST_CHECK(setrlimit(RLIMIT_NPROC, &limit) == 0);
        for (size_t i = 0; i < 2; i++) {
            HOST_CHECK(pthread_create(&threads[i], NULL, start_a_team, &token) == 0);
        }
        for (size_t i = 0; i < 2; i++) {
            void *good = NULL;
            HOST_CHECK(pthread_join(threads[i], &good) == 0 && good == &token);
        }
        HOST_CHECK(threads_fall_to(before));
    }
    return 0;
}

Test(team, two_of_them_share_few_threads) {
    EXPECT_HOST_OK(host_run(host_with_two_teams, NULL));
}

/* ---- OpenMP's variables: one test for each set of them, see CMakeLists.txt --------------------- */

static void expect_workers(unsigned wanted, unsigned most, unsigned there) {
    cf_executor *ex = create(wanted);
    EXPECT_EQ(cf_executor_max_workers(ex), most);
    for (int i = 0; i < 8; i++) {
        cr_assert(works(ex));
    }
    EXPECT_EQ(workers_now(ex), there);
    cf_executor_destroy(ex);
}

Test(environment, thread_limit) { /* OMP_THREAD_LIMIT=3 */
    const size_t before = thread_count();
    expect_workers(8, 3, 3);
    expect_workers(2, 2, 2);
    cr_assert(threads_fall_to(before));
    cf_executor *ex = create(8);
    cf_future *futures[3];
    counter c[3] = {0};
    hold_all(ex, c, futures, 3);
    EXPECT_EQ(thread_count() - before, 3);
    EXPECT_EQ(region(2), 2); /* the limit is of each team */
    let_go(c, futures, 3);
    cf_executor_destroy(ex);
}

Test(environment, thread_limit_of_one) { /* OMP_THREAD_LIMIT=1 */
    expect_workers(8, 1, 1);
}

Test(environment, no_active_level) { /* OMP_MAX_ACTIVE_LEVELS=0 */
    expect_workers(8, 8, 1);
}

Test(environment, num_threads) { /* OMP_NUM_THREADS=5 OMP_DYNAMIC=true */
    expect_workers(3, 3, 3);
    expect_workers(8, 8, 8);
    expect_workers(0, cf_cpu_count(NULL), cf_cpu_count(NULL));
}

Test(environment, two_levels) { /* OMP_MAX_ACTIVE_LEVELS=2 */
    cf_executor *ex = create(3);
    look_around(ex, 3, 4);
    cf_executor_destroy(ex);
}

Test(environment, bound) { /* OMP_PROC_BIND=true */
    const unsigned places = (unsigned)omp_get_num_places();
    cr_assert(places > 0);
    expect_workers(2, 2, 2);
    cf_executor *ex = create(0);
    cr_assert(cf_executor_max_workers(ex) <= places);
    cr_assert(places == 1 || cf_executor_max_workers(ex) > 1 || cf_cpu_count(NULL) == 1);
    cr_assert(works(ex));
    cf_executor_destroy(ex);
}

Test(environment, active_wait) { /* OMP_WAIT_POLICY=active */
    struct rusage before, after;
    cf_executor *ex = create(4);
    cr_assert(works(ex));
    getrusage(RUSAGE_SELF, &before);
    usleep(300000); /* not to wait for anything: workers without a task do not spin */
    getrusage(RUSAGE_SELF, &after);
    const long spent_us = (after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000000 +
                          after.ru_utime.tv_usec - before.ru_utime.tv_usec;
    cr_assert(spent_us < 100000, "%ld us", spent_us);
    cf_executor_destroy(ex);
}
