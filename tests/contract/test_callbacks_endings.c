/* A callback is called whether its task succeeds, fails, runs over its time, is cancelled, or ends with its
 * worker or with the whole pool. */
#include "callbacks.h"

#include <signal.h>
#include <unistd.h>

TestSuite(callbacks_endings, .timeout = TEST_SECONDS);

static int run_die(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg;
    (void)result;
    (void)ctx;
    return raise(SIGKILL);
}

static const cf_task die_task = {.name = "die", .run = run_die};

static int run_until_cancelled(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg;
    (void)result;
    const int64_t end = now_ns() + LONG_WAIT;
    while (!cf_task_cancelled(ctx) && now_ns() < end) {}
    return 0;
}

static const cf_task until_cancelled_task = {.run = run_until_cancelled};

/* Adds a callback before or after the task is done, and gives the future up. */
static void expect_callback(scene *s, cf_future *future, cf_status wanted) {
    static entry entries[2]; /* until the executor is destroyed */
    uint32_t before = counter_get(&s->journal->called);
    cf_future_retain(future);
    add_entry(s, &entries[0], future, 0);
    expect_called(s, before + 1);
    EXPECT(wanted, cf_future_result(future, 0, NULL));
    add_entry(s, &entries[1], future, 1);
    expect_called(s, before + 2);
    expect_once_each(entries, 2);
    cf_future_release(future);
    cf_future_release(future);
}

Test(callbacks_endings, of_tasks_that_succeed_or_fail) {
    scene s = callback_scene_open(2);
    expect_callback(&s, submit(s.ex, &square_task, &(uint64_t){3}), CF_OK);
    expect_callback(&s, submit(s.ex, &error_task, &(int){5}), CF_ETASK);
    callback_scene_close(&s);
}

Test(callbacks_endings, of_a_task_over_its_time) {
    scene s = callback_scene_open(2);
    cf_future *f = NULL;
    EXPECT(CF_OK,
           cf_executor_submit_with(s.ex, &until_cancelled_task, NULL,
                                   &(cf_submit_options){.timeout_ns = 20 * MILLISECOND}, &f));
    expect_callback(&s, f, CF_EDEADLINE);
    callback_scene_close(&s);
}

Test(callbacks_endings, of_a_task_whose_worker_died) {
    NEEDS(survives_worker_death);
    scene s = callback_scene_open(2);
    for (int i = 0; i < 10; i++) {
        expect_callback(&s, submit(s.ex, &die_task, NULL), CF_EWORKER);
    }
    callback_scene_close(&s);
}

Test(callbacks_endings, of_cancelled_tasks) {
    NEEDS(cancels_pending);
    scene s = callback_scene_open(1);
    entry entries[3];
    cf_future *held = submit_held(&s, 1);
    cf_future *by_caller = submit(s.ex, &square_task, &(uint64_t){2});
    cf_future *by_shutdown = submit(s.ex, &square_task, &(uint64_t){3});
    add_entry(&s, &entries[0], by_caller, 0);
    cr_assert(cf_future_cancel(by_caller));
    expect_called(&s, 1);
    add_entry(&s, &entries[1], by_caller, 1); /* it is done, and nobody ever ran it */
    expect_called(&s, 2);
    add_entry(&s, &entries[2], by_shutdown, 2);
    EXPECT(CF_OK, cf_executor_shutdown(s.ex, false, true));
    expect_called(&s, 3);
    EXPECT_EQ(cf_future_state(by_shutdown), CF_CANCELLED);
    let_go(&s);
    cf_future_release(by_caller);
    cf_future_release(by_shutdown);
    EXPECT_EQ(take(held), 1);
    callback_scene_close(&s);
    expect_once_each(entries, 3);
}

Test(callbacks_endings, of_a_broken_pool) {
    NEEDS(survives_worker_death);
    enum {
        N = 50
    };
    scene s = callback_scene_open(1);
    entry entries[N + 1];
    cf_future *futures[N + 1];
    whereabouts w;
    cf_future *f = submit(s.ex, &whereabouts_task, NULL);
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, &w));
    cf_future_release(f);
    cr_assert(w.parent > 1 && w.parent != getpid());
    futures[0] = submit_held(&s, 1);
    for (uint64_t i = 1; i <= N; i++) {
        futures[i] = submit(s.ex, &square_task, &i);
    }
    for (uint32_t i = 0; i <= N; i++) {
        add_entry(&s, &entries[i], futures[i], i);
    }
    cr_assert_eq(kill(w.parent, SIGKILL), 0); /* the nursery */
    expect_called(&s, N + 1);
    for (size_t i = 0; i <= N; i++) {
        EXPECT(CF_EBROKEN, cf_future_result(futures[i], 0, NULL));
        cf_future_release(futures[i]);
    }
    callback_scene_close(&s);
    expect_once_each(entries, N + 1);
}
