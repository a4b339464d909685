/* terminate_workers asks tasks in the caller's process to return, and what they return counts. kill_workers
 * is refused there, and harms no running task. */
#include "terminate.h"

#include <pthread.h>
#include <sched.h>

TestSuite(terminate_threads, .timeout = TEST_SECONDS);

/* Tells that it has begun, and returns when it is told that nobody wants it any more. */
static int run_until_cancelled(const void *arg, void *result, cf_task_context *ctx) {
    const blocker *b = arg;
    const int64_t end = now_ns() + LONG_WAIT;
    if (cf_task_cancelled(ctx)) {
        return 1;
    }
    counter_add(b->begun, 1);
    while (!cf_task_cancelled(ctx)) {
        if (now_ns() > end) {
            return 2;
        }
        sched_yield();
    }
    counter_add(b->ran, 1);
    *(uint64_t *)result = 3;
    return 0;
}

static const cf_task until_cancelled_task = {.name = "until cancelled",
                                             .run = run_until_cancelled,
                                             .arg_size = sizeof(blocker),
                                             .result_size = sizeof(uint64_t)};

Test(terminate_threads, asks_tasks_on_threads_to_return) {
    NEEDS(runs_beside_caller);
    NEEDS(shares_memory);
    scene s = terminate_scene_open(&until_cancelled_task, 0);
    spin_for(5 * MILLISECOND);
    EXPECT_EQ(counter_get(&s.c[2]), 0);
    EXPECT(CF_OK, cf_executor_terminate_workers(s.ex));
    expect_shut_down(s.ex);
    expect_queue_cancelled(&s);
    for (size_t i = 0; i < WORKERS; i++) { /* what they return counts */
        uint64_t value = 0;
        EXPECT(CF_OK, cf_future_result(s.held[i], LONG_WAIT, &value));
        EXPECT_EQ(value, 3);
    }
    cf_stats stats = stats_of(s.ex);
    EXPECT_EQ(stats.cancelled, QUEUED);
    EXPECT_EQ(stats.failed, 0);
    terminate_scene_close(&s);
}

Test(terminate_threads, cannot_kill_threads) {
    NEEDS(shares_memory);
    cf_executor *ex = create(WORKERS);
    EXPECT(CF_EUNSUPPORTED, cf_executor_kill_workers(ex));
    EXPECT_EQ(take(submit(ex, &square_task, &(uint64_t){4})), 16);
    EXPECT(CF_OK, cf_executor_terminate_workers(ex));
    expect_shut_down(ex);
    EXPECT(CF_EUNSUPPORTED, cf_executor_kill_workers(ex));
    EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
    EXPECT(CF_EUNSUPPORTED, cf_executor_kill_workers(ex));
    cf_executor_destroy(ex);
}

Test(terminate_threads, refused_kill_harms_no_running_task) {
    NEEDS(runs_beside_caller);
    NEEDS(shares_memory);
    counter c[3] = {{0}};
    blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2]};
    cf_executor *ex = create(1);
    cf_future *f = submit(ex, &until_cancelled_task, &b);
    cf_future *pending = submit(ex, &square_task, &(uint64_t){4});
    cr_assert(counter_wait(&c[0], 1));
    EXPECT(CF_EUNSUPPORTED, cf_executor_kill_workers(ex));
    spin_for(5 * MILLISECOND);
    EXPECT_EQ(cf_future_state(f), CF_RUNNING);
    EXPECT_EQ(cf_future_state(pending), CF_PENDING);
    EXPECT(CF_OK, cf_executor_terminate_workers(ex));
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, NULL));
    EXPECT(CF_ECANCELLED, cf_future_result(pending, 0, NULL));
    cf_future_release(f);
    cf_future_release(pending);
    cf_executor_destroy(ex);
}

typedef struct submission {
    pthread_t thread;
    cf_executor *ex;
    blocker b;
    cf_future *future;
    cf_status status;
} submission;

static void *submit_and_run(void *arg) {
    submission *s = arg;
    s->status = cf_executor_submit(s->ex, &until_cancelled_task, &s->b, &s->future);
    return NULL;
}

Test(terminate_threads, asks_a_task_inside_submit) {
    NEEDS(shares_memory);
    counter c[3] = {{0}};
    submission s = {.ex = create(1), .b = {.begun = &c[0], .gate = &c[1], .ran = &c[2]}};
    cr_assert_eq(pthread_create(&s.thread, NULL, submit_and_run, &s), 0);
    cr_assert(counter_wait(&c[0], 1));
    EXPECT(CF_OK, cf_executor_terminate_workers(s.ex));
    cr_assert(counter_wait(&c[2], 1));
    cr_assert_eq(pthread_join(s.thread, NULL), 0);
    EXPECT(CF_OK, s.status);
    EXPECT_EQ(take(s.future), 3);
    cf_executor_destroy(s.ex);
}
