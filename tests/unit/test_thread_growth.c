/* A thread pool with min_workers starts more threads while those that it has are blocked, and no more than
 * there are processors while they compute. */
#include "../check.h"

#include <glob.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

TestSuite(thread_growth, .timeout = TEST_SECONDS);

enum {
    MANY = 24
};

static cf_executor *create(unsigned min_workers, unsigned max_workers) {
    cf_executor *ex = NULL;
    EXPECT(CF_OK,
           cf_thread_pool_create(
               &(cf_pool_options){.min_workers = min_workers, .max_workers = max_workers}, &ex));
    return ex;
}

static unsigned started(cf_executor *ex) {
    cf_stats stats;
    EXPECT(CF_OK, cf_executor_stats(ex, &stats));
    return stats.workers;
}

static void submit_many(cf_executor *ex, const cf_task *task, const void *arg, unsigned count,
                        cf_future **futures) {
    for (unsigned i = 0; i < count; i++) {
        EXPECT(CF_OK, cf_executor_submit(ex, task, arg, futures != NULL ? &futures[i] : NULL));
    }
}

static void take_all(cf_future **futures, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        EXPECT(CF_OK, cf_future_result(futures[i], LONG_WAIT, NULL));
        cf_future_release(futures[i]);
    }
}

/* ---- tasks that block ------------------------------------------------------------------------ */

/* Each blocks until all of them run. */
typedef struct meeting {
    counter begun;
    counter gate;
    counter ran;
} meeting;

static blocker blocker_in(meeting *m) {
    return (blocker){.begun = &m->begun, .gate = &m->gate, .ran = &m->ran};
}

/* How long it takes until all workers are blocked in a task. */
static int64_t time_to_fill(cf_executor *ex) {
    meeting m = {0};
    const blocker b = blocker_in(&m);
    const int64_t start_ns = now_ns();
    submit_many(ex, &blocker_task, &b, MANY, NULL);
    cr_assert(counter_wait(&m.begun, MANY), "%u of %d tasks have begun", counter_get(&m.begun),
              MANY);
    const int64_t time_ns = now_ns() - start_ns;
    counter_add(&m.gate, 1);
    cr_assert(counter_wait(&m.ran, MANY));
    return time_ns;
}

/* The best of some, since other programs may have the processors. */
Test(thread_growth, blocked_threads_are_joined_by_others_within_milliseconds) {
    int64_t best_ns = INT64_MAX;
    for (int i = 0; i < 10 && best_ns > 20 * MILLISECOND; i++) {
        cf_executor *ex = create(1, MANY);
        const int64_t time_ns = time_to_fill(ex);
        best_ns = time_ns < best_ns ? time_ns : best_ns;
        EXPECT_EQ(started(ex), MANY);
        cf_executor_destroy(ex);
    }
    cr_assert(best_ns < 100 * MILLISECOND, "%lld us", (long long)(best_ns / MICROSECOND));
}

Test(thread_growth, threads_stay_and_the_pool_is_full_at_once_the_next_time) {
    cf_executor *ex = create(2, MANY);
    for (int i = 0; i < 3; i++) {
        time_to_fill(ex);
    }
    cf_executor_destroy(ex);
}

/* One after the other, while those before are blocked. Few threads more than tasks: now and then a thread
 * counts as free too late. */
Test(thread_growth, tasks_that_come_later_get_threads_too) {
    meeting m = {0};
    const blocker b = blocker_in(&m);
    cf_executor *ex = create(1, 4 * MANY);
    for (unsigned i = 0; i < MANY; i++) {
        submit_many(ex, &blocker_task, &b, 1, NULL);
        cr_assert(counter_wait(&m.begun, i + 1), "task %u of %d has not begun", i, MANY);
    }
    cr_assert(started(ex) <= MANY + MANY / 4, "%u threads for %d tasks", started(ex), MANY);
    counter_add(&m.gate, 1);
    cf_executor_destroy(ex);
    EXPECT_EQ(counter_get(&m.ran), MANY);
}

static int run_nothing(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg, (void)result, (void)ctx;
    return 0;
}

/* How often the pool's own thread has gone to sleep so far; -1 if it cannot be found. */
static long sleeps_of_growth(void) {
    long sleeps = -1;
    glob_t tasks;
    if (glob("/proc/self/task/*/status", 0, NULL, &tasks) != 0) {
        return -1;
    }
    for (size_t i = 0; i < tasks.gl_pathc; i++) {
        char line[256];
        bool is_growth = false;
        FILE *status = fopen(tasks.gl_pathv[i], "re");
        while (status != NULL && fgets(line, sizeof line, status) != NULL) {
            is_growth |= strcmp(line, "Name:\tcf-growth\n") == 0;
            if (is_growth && strncmp(line, "voluntary_ctxt_switches:", 24) == 0) {
                sleeps = atol(line + 24);
            }
        }
        if (status != NULL) {
            fclose(status);
        }
    }
    globfree(&tasks);
    return sleeps;
}

Test(thread_growth, a_pool_at_rest_does_not_look_and_grows_when_tasks_come) {
    const cf_task nothing = {.run = run_nothing};
    cf_executor *ex = create(1, MANY);
    cf_future *futures[2];
    submit_many(ex, &nothing, NULL, 2, futures);
    take_all(futures, 2);
    long before, now = sleeps_of_growth();
    do { /* else Criterion's timeout: it looks again and again */
        before = now;
        clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = 50 * MILLISECOND}, NULL);
        now = sleeps_of_growth();
    } while (now != before || now < 0);
    time_to_fill(ex);
    cf_executor_destroy(ex);
}

/* Woken too often to be blocked all the time between two looks. */
static int run_trickle(const void *arg, void *result, cf_task_context *ctx) {
    meeting *m = *(meeting *const *)arg;
    (void)result, (void)ctx;
    counter_add(&m->begun, 1);
    while (counter_get(&m->gate) == 0) {
        clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = 100 * MICROSECOND}, NULL);
    }
    return 0;
}

Test(thread_growth, threads_that_are_woken_all_the_time_are_joined_by_others) {
    static const cf_task trickle_task = {.run = run_trickle, .arg_size = sizeof(meeting *)};
    meeting m = {0};
    cf_executor *ex = create(1, 12);
    submit_many(ex, &trickle_task, &(meeting *){&m}, 12, NULL);
    cr_assert(counter_wait(&m.begun, 12), "%u have begun", counter_get(&m.begun));
    counter_add(&m.gate, 1);
    cf_executor_destroy(ex);
}

/* ---- tasks that compute ---------------------------------------------------------------------- */

static int run_computing(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg, (void)result, (void)ctx;
    spin_for(20 * MILLISECOND);
    return 0;
}
static const cf_task computing_task = {.run = run_computing};

Test(thread_growth, computing_tasks_get_a_thread_for_each_processor_and_no_more) {
    const unsigned processors = cf_cpu_count(NULL);
    const unsigned tasks = 12 * processors;
    cf_executor *ex = create(1, tasks);
    submit_many(ex, &computing_task, NULL, tasks, NULL);
    EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
    EXPECT_EQ(started(ex), processors);
    cf_executor_destroy(ex);
}

/* First some block and their threads stay; then computing tasks find as many threads as there are. */
Test(thread_growth, mixed_tasks_all_end) {
    meeting m = {0};
    const blocker b = blocker_in(&m);
    cf_future *futures[3 * MANY];
    cf_executor *ex = create(1, 2 * MANY);
    submit_many(ex, &computing_task, NULL, MANY, futures);
    submit_many(ex, &blocker_task, &b, MANY, futures + MANY);
    submit_many(ex, &computing_task, NULL, MANY, futures + 2 * MANY);
    cr_assert(counter_wait(&m.begun, MANY));
    take_all(futures + 2 * MANY, MANY);
    counter_add(&m.gate, 1);
    take_all(futures, 2 * MANY);
    cf_executor_destroy(ex);
}

/* ---- tasks that wait for tasks --------------------------------------------------------------- */

/* Waits for a future that another task holds up. */
static int run_waiting(const void *arg, void *result, cf_task_context *ctx) {
    (void)result, (void)ctx;
    return (int)cf_future_result(*(cf_future *const *)arg, CF_FOREVER, NULL);
}
static const cf_task waiting_task = {.run = run_waiting, .arg_size = sizeof(cf_future *)};

Test(thread_growth, a_thread_that_waits_for_a_future_is_blocked) {
    meeting m = {0};
    const blocker b = blocker_in(&m);
    cf_future *held, *waiting[MANY - 1];
    cf_executor *ex = create(1, MANY);
    EXPECT(CF_OK, cf_executor_submit(ex, &blocker_task, &b, &held));
    cr_assert(counter_wait(&m.begun, 1));
    submit_many(ex, &waiting_task, &held, MANY - 1, waiting);
    while (started(ex) < MANY) { /* else Criterion's timeout */
        sched_yield();
    }
    counter_add(&m.gate, 1);
    take_all(waiting, MANY - 1);
    take_all(&held, 1);
    cf_executor_destroy(ex);
}

typedef struct detour {
    cf_executor *other;
    cf_future *pending; /* of this pool; not begun */
} detour;

static int run_detour(const void *arg, void *result, cf_task_context *ctx) {
    const detour *d = arg;
    cf_future *there;
    (void)result, (void)ctx;
    cf_status status = cf_executor_submit(d->other, &waiting_task, &d->pending, &there);
    if (status == CF_OK) {
        status = cf_future_result(there, CF_FOREVER, NULL);
        cf_future_release(there);
    }
    return (int)status;
}

static int run_submit_detour(const void *arg, void *result, cf_task_context *ctx) {
    const detour *given = arg;
    cf_executor *here = (cf_executor *)given->pending; /* the place has the pool itself */
    detour d = {.other = given->other};
    uint64_t n = 3;
    cf_status status = cf_executor_submit(here, &square_task, &n, &d.pending);
    if (status != CF_OK) {
        return (int)status;
    }
    int error = run_detour(&d, result, ctx);
    cf_future_release(d.pending);
    return error;
}

/* The only thread waits for another pool's, and that for a task which only a thread to come can run. */
Test(thread_growth, a_wait_for_a_thread_to_come_is_no_deadlock) {
    static const cf_task task = {.run = run_submit_detour, .arg_size = sizeof(detour)};
    cf_executor *ex = create(1, 2), *other = create(1, 1);
    cf_future *f;
    EXPECT(CF_OK, cf_executor_submit(ex, &task,
                                     &(detour){.other = other, .pending = (cf_future *)ex}, &f));
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, NULL));
    cf_future_release(f);
    cf_executor_destroy(ex);
    cf_executor_destroy(other);
}

/* ---- ends ------------------------------------------------------------------------------------ */

Test(thread_growth, tasks_get_threads_after_shutdown_too) {
    meeting m = {0};
    const blocker b = blocker_in(&m);
    cf_executor *ex = create(1, MANY);
    submit_many(ex, &blocker_task, &b, MANY, NULL);
    EXPECT(CF_OK, cf_executor_shutdown(ex, false, false));
    cr_assert(counter_wait(&m.begun, MANY), "%u have begun", counter_get(&m.begun));
    counter_add(&m.gate, 1);
    cf_executor_destroy(ex);
    EXPECT_EQ(counter_get(&m.ran), MANY);
}

static void *open_when_all_have_begun(void *context) {
    meeting *m = context;
    counter_wait(&m->begun, MANY);
    counter_add(&m->gate, 1);
    return NULL;
}

Test(thread_growth, destroy_waits_while_the_pool_grows) {
    for (size_t i = 0; i < scaled(20); i++) {
        meeting m = {0};
        pthread_t opener;
        const blocker b = blocker_in(&m);
        const size_t threads = thread_count();
        cr_assert_eq(pthread_create(&opener, NULL, open_when_all_have_begun, &m), 0);
        cf_executor *ex = create(1 + (unsigned)i % 4, MANY);
        submit_many(ex, &blocker_task, &b, MANY, NULL);
        cf_executor_destroy(ex);
        EXPECT_EQ(counter_get(&m.ran), MANY);
        cr_assert_eq(pthread_join(opener, NULL), 0);
        cr_assert(threads_fall_to(threads));
    }
}

Test(thread_growth, a_pool_is_cancelled_while_it_grows) {
    for (size_t i = 0; i < scaled(50); i++) {
        meeting m = {0};
        const blocker b = blocker_in(&m);
        cf_executor *ex = create(1, MANY);
        submit_many(ex, &blocker_task, &b, MANY, NULL);
        cr_assert(counter_wait(&m.begun, 1 + (uint32_t)i % 8));
        EXPECT(CF_OK, cf_executor_shutdown(ex, false, true));
        counter_add(&m.gate, 1);
        cf_executor_destroy(ex);
        EXPECT_EQ(counter_get(&m.ran), counter_get(&m.begun));
    }
}

static int run_stray(const void *arg, void *result, cf_task_context *ctx) {
    meeting *m = *(meeting *const *)arg;
    (void)result, (void)ctx;
    while (counter_get(&m->gate) == 0) { /* heeds no limit */
        spin_for(10 * MICROSECOND);
    }
    return 0;
}

Test(thread_growth, threads_whose_tasks_are_over_their_time_hold_nobody_up) {
    static const cf_task stray_task = {.run = run_stray, .arg_size = sizeof(meeting *)};
    const cf_submit_options limit = {.timeout_ns = MILLISECOND};
    const unsigned processors = cf_cpu_count(NULL);
    meeting m = {0};
    uint64_t squared = 0;
    cf_future *f;
    cf_executor *ex = create(1, 2 * processors + 1);
    for (unsigned i = 0; i < 2 * processors; i++) {
        EXPECT(CF_OK, cf_executor_submit_with(ex, &stray_task, &(meeting *){&m}, &limit, NULL));
    }
    EXPECT(CF_OK, cf_executor_submit(ex, &square_task, &(uint64_t){5}, &f));
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, &squared));
    EXPECT_EQ(squared, 25);
    cf_future_release(f);
    counter_add(&m.gate, 1);
    cf_executor_destroy(ex);
}

static int run_exiting(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg, (void)result, (void)ctx;
    pthread_exit(NULL);
}

Test(thread_growth, threads_that_their_tasks_end_are_replaced_while_the_pool_grows) {
    static const cf_task exiting_task = {.run = run_exiting};
    meeting m = {0};
    const blocker b = blocker_in(&m);
    cf_executor *ex = create(1, MANY);
    for (unsigned i = 0; i < MANY; i++) {
        submit_many(ex, &exiting_task, NULL, 1, NULL);
        submit_many(ex, &blocker_task, &b, 1, NULL);
    }
    cr_assert(counter_wait(&m.begun, MANY), "%u have begun", counter_get(&m.begun));
    counter_add(&m.gate, 1);
    cf_executor_destroy(ex);
}

/* ---- what the system refuses, and what the option is not for --------------------------------- */

/* Without a descriptor no thread's state can be read. */
static int grows_without_descriptors(void *context) {
    meeting m = {0};
    cf_executor *ex;
    const blocker b = blocker_in(&m);
    (void)context;
    HOST_CHECK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){0}) == 0);
    const cf_pool_options options = {.min_workers = 1, .max_workers = MANY};
    HOST_CHECK(cf_thread_pool_create(&options, &ex) == CF_OK);
    for (unsigned i = 0; i < MANY; i++) {
        HOST_CHECK(cf_executor_submit(ex, &blocker_task, &b, NULL) == CF_OK);
    }
    HOST_CHECK(counter_wait(&m.begun, MANY));
    counter_add(&m.gate, 1);
    cf_executor_destroy(ex);
    return 0;
}

Test(thread_growth, a_pool_grows_where_no_state_can_be_read) {
    EXPECT_HOST_OK(host_run(grows_without_descriptors, NULL));
}

Test(thread_growth, zero_and_more_than_max_workers_mean_max_workers) {
    for (unsigned min_workers = 0; min_workers < 5; min_workers += 4) {
        meeting m = {0};
        const blocker b = blocker_in(&m);
        const size_t threads = thread_count();
        cf_executor *ex = create(min_workers, 3);
        submit_many(ex, &blocker_task, &b, 5, NULL);
        EXPECT_EQ(started(ex), 3);
        EXPECT_EQ(thread_count(), threads + 3);
        counter_add(&m.gate, 1);
        cf_executor_destroy(ex);
    }
}

Test(thread_growth, a_process_pool_ignores_it) {
    meeting *m = shared_alloc(sizeof *m);
    const blocker b = blocker_in(m);
    cf_executor *ex = NULL;
    const cf_pool_options options = {.min_workers = 1, .max_workers = 3};
    EXPECT(CF_OK, cf_process_pool_create(&options, &ex));
    submit_many(ex, &blocker_task, &b, 3, NULL);
    EXPECT_EQ(started(ex), 3);
    counter_add(&m->gate, 1);
    cf_executor_destroy(ex);
    shared_free(m, sizeof *m);
}
