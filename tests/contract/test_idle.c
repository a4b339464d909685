/* An executor without tasks costs no processor time, and neither does a thread that waits for one. */
#include "rows.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

TestSuite(idle, .timeout = TEST_SECONDS);

enum {
    WORKERS = 3
};

static void rest(int64_t ns) {
    clock_nanosleep(CLOCK_MONOTONIC, 0,
                    &(struct timespec){.tv_sec = ns / SECOND, .tv_nsec = ns % SECOND}, NULL);
}

/* CPU time of a process, this one or another. */
static int64_t cpu_time_ns(pid_t pid) {
    clockid_t clock;
    struct timespec t;
    cr_assert_eq(clock_getcpuclockid(pid, &clock), 0);
    cr_assert_eq(clock_gettime(clock, &t), 0);
    return t.tv_sec * SECOND + t.tv_nsec;
}

/* This process, and where workers are processes these and the one that forks them. */
typedef struct family {
    pid_t pids[WORKERS + 2];
    size_t count;
} family;

static family family_of(cf_executor *ex) {
    family all = {.pids = {getpid()}, .count = 1};
    if (row()->shares_memory) {
        return all;
    }
    whereabouts w;
    cf_stats s;
    cf_future *f = submit(ex, &whereabouts_task, NULL);
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, &w));
    cf_future_release(f);
    all.pids[all.count++] = w.parent;
    EXPECT(CF_OK, cf_executor_stats(ex, &s));
    for (unsigned i = 0; i < s.workers; i++) {
        cf_worker_stats worker;
        EXPECT(CF_OK, cf_executor_worker_stats(ex, i, &worker));
        all.pids[all.count++] = (pid_t)worker.id;
    }
    return all;
}

static int64_t family_time_ns(const family *all) {
    int64_t sum = 0;
    for (size_t i = 0; i < all->count; i++) {
        sum += cpu_time_ns(all->pids[i]);
    }
    return sum;
}

/* A while is what is measured here, and nothing is waited for. */
static void expect_idle(const family *all, int64_t how_long, const char *what) {
    rest(SECOND / 5);
    const int64_t before = family_time_ns(all);
    rest(how_long);
    const int64_t used = family_time_ns(all) - before;
    cr_assert(used < how_long / 200, "%s, it used %.3f ms of CPU time in %.1f s", what,
              (double)used / MILLISECOND, (double)how_long / SECOND);
}

static void run_thousand(cf_executor *ex) {
    for (uint64_t i = 0; i < 1000; i++) {
        EXPECT_EQ(take(submit(ex, &square_task, &i)), i * i);
    }
}

static void count_call(cf_future *future, void *context) {
    (void)future;
    counter_add(context, 1);
}

/* So that all threads that an executor may need are there: for callbacks, for time limits. */
static void use_everything(cf_executor *ex) {
    enum {
        N = 1000
    };
    uint64_t args[N], results[N];
    cf_future *futures[N];
    counter called = {0};
    for (uint64_t i = 0; i < N; i++) {
        args[i] = i;
    }
    const cf_submit_options options = {.timeout_ns = LONG_WAIT};
    EXPECT(CF_OK, cf_executor_map(ex, &square_task, args, N, results, NULL));
    EXPECT(CF_OK, cf_executor_submit_many(ex, &square_task, args, N, &options, futures, NULL));
    for (size_t i = 0; i < N; i++) {
        EXPECT(CF_OK, cf_future_add_done_callback(futures[i], count_call, &called));
    }
    EXPECT(CF_OK, cf_wait(futures, N, CF_ALL_COMPLETED, LONG_WAIT, NULL));
    cr_assert(counter_wait(&called, N));
    for (size_t i = 0; i < N; i++) {
        cf_future_release(futures[i]);
    }
}

Test(idle, after_a_thousand_tasks) {
    NEEDS(runs_beside_caller);
    NOT_REMOTE(SLEEPS);
    cf_executor *ex = create(WORKERS);
    run_thousand(ex);
    family all = family_of(ex);
    expect_idle(&all, SECOND / 2, "after a thousand tasks");
    use_everything(ex);
    expect_idle(&all, SECOND / 2, "after maps, callbacks and time limits");
    run_thousand(ex); /* it has not fallen asleep for good */
    cf_executor_destroy(ex);
}

/* ---- somebody waits ---------------------------------------------------------------------------- */

typedef struct wait {
    pthread_t thread;
    cf_executor *ex;
    blocker *blocker;
    cf_future *future;
    cf_status status;
} wait;

static void *wait_for_result(void *arg) {
    wait *w = arg;
    w->status = cf_future_result(w->future, LONG_WAIT, NULL);
    return NULL;
}

static void *wait_for_one_of_many(void *arg) {
    wait *w = arg;
    cf_as_completed *ac = NULL;
    cf_future *f = NULL;
    w->status = cf_as_completed_create(&w->future, 1, &ac);
    w->status = w->status == CF_OK ? cf_as_completed_next(ac, LONG_WAIT, &f, NULL) : w->status;
    cf_as_completed_destroy(ac);
    return NULL;
}

static void *wait_for_all(void *arg) {
    wait *w = arg;
    w->status = cf_wait(&w->future, 1, CF_ALL_COMPLETED, LONG_WAIT, NULL);
    return NULL;
}

/* All workers are blocked, three threads wait for them, and a few tasks are pending. */
Test(idle, while_all_wait_for_a_blocked_task) {
    NEEDS(runs_beside_caller);
    NOT_REMOTE(SLEEPS);
    static void *(*const ways[])(void *) = {wait_for_result, wait_for_one_of_many, wait_for_all};
    counter *c = shared_alloc(3 * sizeof *c);
    cf_executor *ex = create(WORKERS);
    run_thousand(ex);
    family all = family_of(ex);
    blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2]};
    wait waits[COUNT_OF(ways)];
    cf_future *pending[10];
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        waits[i] = (wait){.future = submit(ex, &blocker_task, &b)};
    }
    cr_assert(counter_wait(&c[0], WORKERS));
    for (uint64_t i = 0; i < COUNT_OF(pending); i++) {
        pending[i] = submit(ex, &square_task, &i);
    }
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        cr_assert_eq(pthread_create(&waits[i].thread, NULL, ways[i], &waits[i]), 0);
    }
    expect_idle(&all, SECOND / 2, "while all wait for blocked tasks");
    counter_add(&c[1], 1);
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        pthread_join(waits[i].thread, NULL);
        EXPECT(CF_OK, waits[i].status);
        cf_future_release(waits[i].future);
    }
    for (uint64_t i = 0; i < COUNT_OF(pending); i++) {
        EXPECT_EQ(take(pending[i]), i * i);
    }
    cf_executor_destroy(ex);
    shared_free(c, 3 * sizeof *c);
}

static void *map_blockers(void *arg) {
    wait *w = arg;
    uint64_t results[WORKERS];
    w->status = cf_executor_map(w->ex, &blocker_task, w->blocker, WORKERS, results, NULL);
    return NULL;
}

/* A map looks now and then what could be shared out anew, less and less often. */
Test(idle, while_a_map_waits_for_its_last_items) {
    NEEDS(runs_beside_caller);
    NOT_REMOTE(SLEEPS);
    counter *c = shared_alloc(3 * sizeof *c);
    cf_executor *ex = create(WORKERS);
    run_thousand(ex);
    family all = family_of(ex);
    const blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2]};
    blocker args[WORKERS] = {b, b, b};
    wait w = {.ex = ex, .blocker = args};
    cr_assert_eq(pthread_create(&w.thread, NULL, map_blockers, &w), 0);
    cr_assert(counter_wait(&c[0], WORKERS));
    expect_idle(&all, SECOND / 4, "while a map waits");
    counter_add(&c[1], 1);
    pthread_join(w.thread, NULL);
    EXPECT(CF_OK, w.status);
    cf_executor_destroy(ex);
    shared_free(c, 3 * sizeof *c);
}
