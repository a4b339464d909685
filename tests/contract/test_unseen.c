/* stats.unseen counts each failure until its result or exception is asked for; forever, if the future is
 * released before. */
#include "rows.h"

#include <errno.h>
#include <signal.h>

TestSuite(unseen, .timeout = TEST_SECONDS);

static uint64_t unseen(cf_executor *ex) {
    cf_stats stats;
    EXPECT(CF_OK, cf_executor_stats(ex, &stats));
    return stats.unseen;
}

static cf_future *submit_failing(cf_executor *ex) {
    cf_future *f = submit(ex, &error_task, &(int){EIO});
    EXPECT(CF_OK, cf_wait(&f, 1, CF_ALL_COMPLETED, LONG_WAIT, NULL));
    return f;
}

typedef void look(cf_future *future);

static void look_at_result(cf_future *future) {
    EXPECT(CF_ETASK, cf_future_result(future, 0, NULL));
}

static void look_at_view(cf_future *future) {
    const void *result;
    size_t size;
    EXPECT(CF_ETASK, cf_future_view(future, 0, &result, &size));
}

static void look_at_exception(cf_future *future) {
    cf_exception why;
    EXPECT(CF_OK, cf_future_exception(future, 0, &why));
    EXPECT_EQ(why.task_error, EIO);
}

static void look_at_result_as_completed(cf_future *future) {
    cf_as_completed *ac = NULL;
    cf_future *f = NULL;
    EXPECT(CF_OK, cf_as_completed_create(&future, 1, &ac));
    EXPECT(CF_OK, cf_as_completed_next(ac, 0, &f, NULL));
    EXPECT(CF_ETASK, cf_future_result(f, 0, NULL));
    cf_as_completed_destroy(ac);
}

Test(unseen, until_the_result_or_the_exception_is_asked_for) {
    look *const looks[] = {look_at_result, look_at_view, look_at_exception,
                           look_at_result_as_completed};
    cf_executor *ex = create(1);
    EXPECT_EQ(unseen(ex), 0);
    for (size_t i = 0; i < COUNT_OF(looks); i++) {
        cf_future *f = submit_failing(ex);
        EXPECT_EQ(unseen(ex), 1);
        looks[i](f);
        EXPECT_EQ(unseen(ex), 0);
        for (size_t k = 0; k < COUNT_OF(looks); k++) { /* counted once, however often */
            looks[k](f);
        }
        EXPECT_EQ(unseen(ex), 0);
        cf_future_release(f);
        EXPECT_EQ(unseen(ex), 0);
    }
    cf_executor_destroy(ex);
}

Test(unseen, also_after_looks_that_tell_nothing_of_the_failure) {
    cf_executor *ex = create(1);
    char text[100];
    cf_info info;
    cf_as_completed *ac = NULL;
    cf_future *f = submit_failing(ex), *g = NULL;
    EXPECT(CF_OK, cf_wait(&f, 1, CF_FIRST_EXCEPTION, 0, NULL));
    EXPECT(CF_OK, cf_as_completed_create(&f, 1, &ac));
    EXPECT(CF_OK, cf_as_completed_next(ac, 0, &g, NULL));
    cf_as_completed_destroy(ac);
    cr_assert(cf_future_done(f));
    cr_assert_not(cf_future_cancel(f));
    EXPECT(CF_OK, cf_future_info(f, &info));
    cf_future_describe(f, text, sizeof text);
    EXPECT_EQ(unseen(ex), 1);
    cf_future_release(f); /* and now nobody can */
    EXPECT_EQ(unseen(ex), 1);
    cf_executor_destroy(ex);
}

Test(unseen, when_nobody_holds_the_future) {
    enum {
        N = 3000 /* several slabs, which are used again */
    };
    cf_executor *ex = create(2);
    for (int i = 0; i < N; i++) {
        EXPECT(CF_OK, cf_executor_submit(ex, &error_task, &(int){i % 2}, NULL));
    }
    for (int i = 0; i < N; i++) {
        cf_future_release(submit(ex, &error_task, &(int){EIO}));
    }
    EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
    EXPECT_EQ(unseen(ex), N / 2 + N);
    cf_executor_destroy(ex);
}

Test(unseen, while_not_yet_done_nothing_is) {
    NEEDS(cancels_pending);
    counter *c = shared_alloc(3 * sizeof *c);
    cf_executor *ex = create(1);
    blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2]};
    cf_exception why;
    cf_future *held = submit(ex, &blocker_task, &b);
    cr_assert(counter_wait(&c[0], 1));
    cf_future *failing = submit(ex, &error_task, &(int){EIO});
    cf_future *cancelled = submit(ex, &error_task, &(int){EIO});
    cf_future *unlooked = submit(ex, &error_task, &(int){EIO});
    EXPECT(CF_ETIMEDOUT, cf_future_result(failing, 0, NULL)); /* too early to be a look */
    EXPECT(CF_ETIMEDOUT, cf_future_exception(failing, 0, &why));
    cr_assert(cf_future_cancel(cancelled));
    cr_assert(cf_future_cancel(unlooked));
    EXPECT_EQ(unseen(ex), 0);
    counter_add(&c[1], 1);
    EXPECT(CF_OK, cf_wait(&failing, 1, CF_ALL_COMPLETED, LONG_WAIT, NULL));
    EXPECT_EQ(unseen(ex), 1);
    EXPECT(CF_ECANCELLED, cf_future_result(cancelled, 0, NULL)); /* takes nothing off */
    EXPECT(CF_OK, cf_future_exception(cancelled, 0, &why));
    EXPECT(CF_OK, cf_future_result(held, 0, NULL)); /* neither does a success */
    EXPECT_EQ(unseen(ex), 1);
    EXPECT(CF_ETASK, cf_future_result(failing, 0, NULL));
    EXPECT_EQ(unseen(ex), 0);
    cf_future_release(failing);
    cf_future_release(cancelled);
    cf_future_release(unlooked);
    EXPECT_EQ(take(held), 0);
    cf_executor_destroy(ex);
    shared_free(c, 3 * sizeof *c);
}

static int run_die(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg;
    (void)result;
    (void)ctx;
    return raise(SIGKILL);
}

static const cf_task die_task = {.run = run_die};

Test(unseen, a_dead_worker_too) {
    NEEDS(survives_worker_death);
    cf_executor *ex = create(1);
    cf_future *f = submit(ex, &die_task, NULL);
    EXPECT(CF_OK, cf_wait(&f, 1, CF_ALL_COMPLETED, LONG_WAIT, NULL));
    EXPECT_EQ(unseen(ex), 1);
    EXPECT(CF_EWORKER, cf_future_result(f, 0, NULL));
    EXPECT_EQ(unseen(ex), 0);
    cf_future_release(f);
    cf_executor_destroy(ex);
}

static int run_late(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg;
    (void)result;
    (void)ctx;
    spin_for(50 * MILLISECOND);
    return 0;
}

static const cf_task late_task = {.run = run_late};

Test(unseen, a_run_over_its_time_too) {
    cf_executor *ex = create(1);
    cf_future *f = NULL;
    EXPECT(CF_OK, cf_executor_submit_with(ex, &late_task, NULL,
                                          &(cf_submit_options){.timeout_ns = 5 * MILLISECOND}, &f));
    EXPECT(CF_OK, cf_wait(&f, 1, CF_ALL_COMPLETED, LONG_WAIT, NULL));
    EXPECT_EQ(unseen(ex), 1);
    EXPECT(CF_EDEADLINE, cf_future_result(f, 0, NULL));
    EXPECT_EQ(unseen(ex), 0);
    cf_future_release(f);
    cf_executor_destroy(ex);
}
