/* A pool without its nursery is broken: every call and future says so, nothing hangs, and no process stays
 * behind. */
#include "process.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(nursery_death, .timeout = TEST_SECONDS);

enum {
    WORKERS = 3,
    PENDING = 500
};

typedef struct scene {
    counter *begun;
    cf_executor *pool;
    pid_t nursery;
    pid_t workers[WORKERS];
    cf_future *done;
    cf_future *futures[WORKERS + PENDING]; /* running, then pending */
} scene;

/* All workers stuck in a task, and a queue behind them. */
static void scene_open(scene *s) {
    s->begun = shared_alloc(sizeof(counter));
    s->pool = create_pool(WORKERS);
    s->done = submit(s->pool, &square_task, &(uint64_t){5});
    EXPECT(CF_OK, cf_future_result(s->done, LONG_WAIT, NULL));
    s->nursery = nursery_of(s->pool);
    stuck task = {.begun = s->begun};
    for (size_t i = 0; i < WORKERS; i++) {
        s->futures[i] = submit(s->pool, &stuck_task, &task);
    }
    cr_assert(counter_wait(s->begun, WORKERS));
    EXPECT_EQ(worker_pids(s->pool, s->workers, WORKERS), WORKERS);
    for (uint64_t i = 0; i < PENDING; i++) {
        s->futures[WORKERS + i] =
            submit_retried(s->pool, &square_task, &i, (unsigned)(i % 2 ? CF_RETRIES_MAX : 0));
    }
}

static void scene_close(scene *s) {
    cf_executor_destroy(s->pool);
    for (size_t i = 0; i < WORKERS; i++) {
        cr_assert(process_ends(s->workers[i], SECOND), "worker %d lives on", s->workers[i]);
    }
    for (size_t i = 0; i < WORKERS + PENDING; i++) {
        EXPECT(CF_EBROKEN, cf_future_result(s->futures[i], 0, NULL));
        cf_future_release(s->futures[i]);
    }
    cf_future_release(s->done);
    shared_free(s->begun, sizeof(counter));
}

static void expect_broken(cf_executor *pool) {
    cf_future *f = NULL;
    uint64_t arg = 1, result = 0;
    EXPECT(CF_EBROKEN, cf_executor_submit(pool, &square_task, &arg, &f));
    cr_assert(f == NULL);
    EXPECT(CF_EBROKEN, cf_executor_submit(pool, &square_task, &arg, NULL));
    EXPECT(CF_EBROKEN, cf_executor_map(pool, &square_task, &arg, 1, &result, NULL));
}

Test(nursery_death, breaks_every_unfinished_future) {
    scene s;
    size_t fds = fd_count(), threads = thread_count(), children = child_count();
    scene_open(&s);
    cr_assert_eq(kill(s.nursery, SIGKILL), 0);
    for (size_t i = 0; i < WORKERS + PENDING; i++) {
        cf_exception why;
        EXPECT(CF_EBROKEN, cf_future_result(s.futures[i], LONG_WAIT, NULL));
        EXPECT(CF_OK, cf_future_exception(s.futures[i], 0, &why));
        EXPECT_EQ(why.status, CF_EBROKEN);
        EXPECT_EQ(cf_future_state(s.futures[i]), CF_FINISHED);
        cr_assert_not(cf_future_cancel(s.futures[i]));
    }
    uint64_t value = 0; /* what was done stays done */
    EXPECT(CF_OK, cf_future_result(s.done, 0, &value));
    EXPECT_EQ(value, 25);
    expect_broken(s.pool);
    cf_stats stats = stats_of(s.pool);
    EXPECT_EQ(stats.pending + stats.running, 0);
    EXPECT_EQ(stats.failed, WORKERS + PENDING);
    EXPECT_EQ(stats.finished, stats.submitted);
    scene_close(&s);
    cr_assert(threads_fall_to(threads));
    EXPECT_EQ(fd_count(), fds);
    EXPECT_EQ(child_count(), children);
}

Test(nursery_death, wakes_as_completed) {
    scene s;
    scene_open(&s);
    cf_as_completed *ac = NULL;
    cf_future *f;
    EXPECT(CF_OK, cf_as_completed_create(s.futures, WORKERS + PENDING, &ac));
    EXPECT(CF_ETIMEDOUT, cf_as_completed_next(ac, 0, &f, NULL));
    cr_assert_eq(kill(s.nursery, SIGKILL), 0);
    for (size_t i = 0; i < WORKERS + PENDING; i++) {
        EXPECT(CF_OK, cf_as_completed_next(ac, LONG_WAIT, &f, NULL));
    }
    EXPECT(CF_EEXHAUSTED, cf_as_completed_next(ac, 0, &f, NULL));
    cf_as_completed_destroy(ac);
    scene_close(&s);
}

Test(nursery_death, lets_destroy_return_unasked) {
    scene s;
    scene_open(&s);
    cr_assert_eq(kill(s.nursery, SIGKILL), 0);
    scene_close(&s);
}

Test(nursery_death, ends_a_waiting_shutdown) {
    for (int cancel_pending = 0; cancel_pending < 2; cancel_pending++) {
        scene s;
        scene_open(&s);
        cr_assert_eq(kill(s.nursery, SIGKILL), 0);
        EXPECT(CF_EBROKEN, cf_future_result(s.futures[WORKERS], LONG_WAIT, NULL));
        EXPECT(CF_OK, cf_executor_shutdown(s.pool, true, cancel_pending));
        scene_close(&s);
    }
}

/* The nursery is held, so the run is declared over its time and its worker is not killed for that. */
Test(nursery_death, counts_a_run_that_was_over_its_time) {
    const cf_submit_options limited = {.timeout_ns = SECOND / 100};
    counter *begun = shared_alloc(sizeof *begun);
    cf_executor *pool = create_pool(1);
    cf_future *future = NULL;
    stuck task = {.begun = begun};
    check_works(pool);
    const pid_t nursery = nursery_of(pool);
    if (!process_freeze(nursery)) {
        cr_skip_test("the system refuses ptrace");
    }
    EXPECT(CF_OK, cf_executor_submit_with(pool, &stuck_task, &task, &limited, &future));
    cr_assert(counter_wait(begun, 1));
    EXPECT(CF_ETIMEDOUT, cf_future_result(future, SECOND / 5, NULL));
    cr_assert_eq(kill(nursery, SIGKILL), 0);
    cf_status status = cf_future_result(future, LONG_WAIT, NULL);
    cr_assert(status == CF_EDEADLINE || status == CF_EBROKEN, "%s", cf_status_name(status));
    EXPECT_EQ(stats_of(pool).timed_out, status == CF_EDEADLINE);
    cf_future_release(future);
    cf_executor_destroy(pool);
    shared_free(begun, sizeof *begun);
}

typedef struct mapper {
    cf_executor *pool;
    stuck *args;
    cf_exception *why;
    size_t n;
    cf_status status;
} mapper;

static void *map_stuck(void *arg) {
    mapper *m = arg;
    cf_map_options options = {.chunk = 5, .exceptions = m->why};
    m->status = cf_executor_map(m->pool, &stuck_task, m->args, m->n, NULL, &options);
    return NULL;
}

Test(nursery_death, ends_a_map) {
    enum {
        N = 100
    };
    counter *begun = shared_alloc(sizeof *begun);
    stuck args[N];
    cf_exception why[N];
    for (size_t i = 0; i < N; i++) {
        args[i] = (stuck){.begun = begun};
    }
    mapper m = {.pool = create_pool(2), .args = args, .why = why, .n = N};
    pid_t nursery = nursery_of(m.pool);
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, map_stuck, &m), 0);
    cr_assert(counter_wait(begun, 2));
    cr_assert_eq(kill(nursery, SIGKILL), 0);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    EXPECT(CF_EBROKEN, m.status);
    expect_broken(m.pool);
    cf_executor_destroy(m.pool);
    shared_free(begun, sizeof *begun);
}

Test(nursery_death, leaves_other_pools_alone) {
    cf_executor *other = create_pool(2);
    check_works(other);
    scene s;
    scene_open(&s);
    cr_assert_eq(kill(s.nursery, SIGKILL), 0);
    EXPECT(CF_EBROKEN, cf_future_result(s.futures[0], LONG_WAIT, NULL));
    check_works(other);
    scene_close(&s);
    check_works(other);
    cf_executor_destroy(other);
}

Test(nursery_death, while_others_submit) {
    for (int round = 0; round < 20; round++) {
        cf_executor *pool = create_pool(2);
        pid_t nursery = nursery_of(pool);
        cf_future *futures[4000];
        size_t n = 0;
        cf_status status = CF_OK;
        while (n < COUNT_OF(futures) && status == CF_OK) {
            if (n == 100) {
                cr_assert_eq(kill(nursery, SIGKILL), 0);
            }
            status = cf_executor_submit(pool, &square_task, &(uint64_t){n}, &futures[n]);
            n += status == CF_OK;
        }
        cr_assert(status == CF_OK || status == CF_EBROKEN, "%s", cf_status_name(status));
        for (uint64_t i = 0; i < n; i++) {
            uint64_t value = 0;
            status = cf_future_result(futures[i], LONG_WAIT, &value);
            cr_assert(status == CF_EBROKEN || (status == CF_OK && value == i * i), "task %llu: %s",
                      (unsigned long long)i, cf_status_name(status));
            cf_future_release(futures[i]);
        }
        cf_executor_destroy(pool);
    }
}
