/* A run over its time ends with CF_EDEADLINE, once, and costs only itself. Its time counts from the start
 * of the run. A limit that is not reached changes nothing. */
#include "deadlines.h"

#include <errno.h>
#include <stdio.h>

TestSuite(deadlines, .timeout = TEST_SECONDS);

Test(deadlines, a_run_over_its_time_says_so) {
    char text[100];
    cf_exception why;
    cf_info info;
    cf_executor *ex = create(2);
    int64_t start = now_ns();
    cf_future *f =
        submit_limited(ex, &until_cancelled_task, NULL, (cf_submit_options){.timeout_ns = LIMIT});
    expect_over_its_time(f, LIMIT);
    int64_t took = now_ns() - start;
    cr_assert(took >= LIMIT && took < LIMIT + SOON, "%lld ns", (long long)took);
    EXPECT(CF_OK, cf_future_exception(f, 0, &why));
    EXPECT_EQ(why.worker, 0);
    cr_assert_str_eq(cf_exception_describe(&why, text, sizeof text), "timed out after 0.1s");
    EXPECT(CF_OK, cf_future_info(f, &info));
    EXPECT_EQ(info.attempts, 1);
    cf_stats s = stats_of(ex);
    EXPECT_EQ(s.timed_out, 1);
    EXPECT_EQ(s.failed, 1);
    EXPECT_EQ(s.finished, 1);
    EXPECT_EQ(take(submit(ex, &square_task, &(uint64_t){9})), 81);
    cf_future_release(f);
    cf_executor_destroy(ex);
}

Test(deadlines, a_late_return_is_over_its_time) {
    cf_executor *ex = create(1);
    const spin late[] = {{.ns = 60 * MILLISECOND, .value = 1},
                         {.ns = 60 * MILLISECOND, .error = EIO}};
    for (size_t i = 0; i < COUNT_OF(late); i++) {
        cf_future *f = submit_limited(ex, &spin_task, &late[i],
                                      (cf_submit_options){.timeout_ns = 10 * MILLISECOND});
        expect_over_its_time(f, 10 * MILLISECOND);
        cf_future_release(f);
    }
    EXPECT_EQ(take(submit(ex, &square_task, &(uint64_t){9})), 81);
    EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
    EXPECT_EQ(stats_of(ex).timed_out, 2);
    EXPECT_EQ(stats_of(ex).failed, 2);
    EXPECT_EQ(stats_of(ex).finished, 3);
    cf_executor_destroy(ex);
}

Test(deadlines, none_by_default) {
    static const int64_t none[] = {0, CF_FOREVER, -1000, INT64_MIN, INT64_MAX};
    cf_executor *ex = create(1);
    for (size_t i = 0; i < COUNT_OF(none); i++) {
        spin s = {.ns = 20 * MILLISECOND, .value = i};
        EXPECT_EQ(
            take(submit_limited(ex, &spin_task, &s, (cf_submit_options){.timeout_ns = none[i]})),
            i);
    }
    EXPECT_EQ(stats_of(ex).timed_out, 0);
    cf_executor_destroy(ex);
}

static int run_ask(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg;
    *(uint64_t *)result = cf_task_cancelled(ctx);
    return 0;
}

static const cf_task ask_task = {.run = run_ask, .result_size = sizeof(uint64_t)};

Test(deadlines, that_are_not_reached_change_nothing) {
    enum {
        N = 2000
    };
    cf_future *futures[N];
    cf_executor *ex = create(2);
    for (uint64_t i = 0; i < N; i++) {
        futures[i] = submit_limited(ex, &square_task, &i,
                                    (cf_submit_options){.timeout_ns = LONG_WAIT + (int64_t)i});
    }
    for (uint64_t i = 0; i < N; i++) {
        EXPECT_EQ(take(futures[i]), i * i);
    }
    EXPECT_EQ(take(submit(ex, &ask_task, NULL)), 0);
    EXPECT_EQ(
        take(submit_limited(ex, &ask_task, NULL, (cf_submit_options){.timeout_ns = LONG_WAIT})), 0);
    EXPECT_EQ(stats_of(ex).failed, 0);
    cf_executor_destroy(ex);
}

Test(deadlines, count_from_the_start_of_the_run) {
    NEEDS(runs_beside_caller);
    counter *c = shared_alloc(3 * sizeof *c);
    cf_executor *ex = create(1);
    blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2], .value = 1};
    cf_future *held = submit(ex, &blocker_task, &b);
    cr_assert(counter_wait(&c[0], 1));
    cf_future *waits = submit_limited(ex, &square_task, &(uint64_t){3},
                                      (cf_submit_options){.timeout_ns = 300 * MILLISECOND});
    spin_for(400 * MILLISECOND);
    EXPECT_EQ(cf_future_state(waits), CF_PENDING);
    counter_add(&c[1], 1);
    EXPECT_EQ(take(waits), 9);
    EXPECT_EQ(take(held), 1);
    cf_executor_destroy(ex);
    shared_free(c, 3 * sizeof *c);
}

Test(deadlines, spare_a_task_without_one) {
    NEEDS(runs_beside_caller);
    counter *c = shared_alloc(3 * sizeof *c);
    cf_executor *ex = create(2);
    blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2], .value = 5};
    cf_future *held = submit(ex, &blocker_task, &b);
    cr_assert(counter_wait(&c[0], 1));
    for (int i = 0; i < 5; i++) {
        cf_future *f = submit_limited(ex, &until_cancelled_task, NULL,
                                      (cf_submit_options){.timeout_ns = 20 * MILLISECOND});
        expect_over_its_time(f, 20 * MILLISECOND);
        cf_future_release(f);
    }
    EXPECT_EQ(cf_future_state(held), CF_RUNNING);
    counter_add(&c[1], 1);
    EXPECT_EQ(take(held), 5);
    EXPECT_EQ(stats_of(ex).timed_out, 5);
    cf_executor_destroy(ex);
    shared_free(c, 3 * sizeof *c);
}

Test(deadlines, of_tasks_that_nobody_holds) {
    enum {
        N = 8
    };
    footprint before = footprint_now();
    cf_executor *ex = create(2);
    for (int i = 0; i < N; i++) {
        cf_submit_options limit = {.timeout_ns = 20 * MILLISECOND};
        if (i % 2) {
            EXPECT(CF_OK, cf_executor_submit_with(ex, &until_cancelled_task, NULL, &limit, NULL));
        } else {
            cf_future_release(submit_limited(ex, &until_cancelled_task, NULL, limit));
        }
    }
    EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
    EXPECT_EQ(stats_of(ex).timed_out, N);
    EXPECT_EQ(stats_of(ex).finished, N);
    EXPECT_EQ(stats_of(ex).unseen, N);
    cf_executor_destroy(ex);
    footprint_check(before);
}

/* ---- many ------------------------------------------------------------------------------------ */

Test(deadlines, many_at_once_hit_the_right_ones) {
    enum {
        N = 1000,
        EVERY = 10
    };
    cf_future *futures[N];
    cf_executor *ex = create(2);
    for (uint64_t i = 0; i < N; i++) {
        bool hangs = i % EVERY == 3;
        futures[i] =
            submit_limited(ex, hangs ? &until_cancelled_task : &square_task, hangs ? NULL : &i,
                           (cf_submit_options){.timeout_ns = hangs ? 20 * MILLISECOND : LONG_WAIT});
    }
    for (uint64_t i = 0; i < N; i++) {
        if (i % EVERY == 3) {
            expect_over_its_time(futures[i], 20 * MILLISECOND);
            cf_future_release(futures[i]);
        } else {
            EXPECT_EQ(take(futures[i]), i * i);
        }
    }
    EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
    cf_stats s = stats_of(ex);
    EXPECT_EQ(s.timed_out, N / EVERY);
    EXPECT_EQ(s.failed, N / EVERY);
    EXPECT_EQ(s.finished, N);
    EXPECT_EQ(s.pending + s.running + s.cancelled + s.retries, 0);
    cf_executor_destroy(ex);
}

static void count_call(cf_future *future, void *context) {
    (void)future;
    counter_add(context, 1);
}

/* Runs that end about when their time does. Each has one end, told once, and it stays. */
Test(deadlines, against_the_return_have_one_winner) {
    enum {
        BATCH = 20
    };
    uint64_t seed = test_seed("deadlines/against_the_return_have_one_winner");
    const size_t rounds = scaled(30);
    size_t timed_out = 0;
    counter called = {0};
    cf_executor *ex = create(2);
    for (size_t round = 0; round < rounds; round++) {
        cf_future *futures[BATCH];
        cf_status ends[BATCH];
        for (size_t i = 0; i < BATCH; i++) {
            int64_t limit = MILLISECOND;
            int64_t off = (int64_t)(random_next(&seed) % (100 * MICROSECOND)) - 80 * MICROSECOND;
            spin s = {.ns = limit + off, .value = i};
            futures[i] =
                submit_limited(ex, &spin_task, &s, (cf_submit_options){.timeout_ns = limit});
            EXPECT(CF_OK, cf_future_add_done_callback(futures[i], count_call, &called));
        }
        for (size_t i = 0; i < BATCH; i++) {
            uint64_t value = 42;
            ends[i] = cf_future_result(futures[i], LONG_WAIT, &value);
            cr_assert(ends[i] == CF_OK || ends[i] == CF_EDEADLINE, "%s", cf_status_name(ends[i]));
            EXPECT_EQ(value, ends[i] == CF_OK ? i : 42);
            timed_out += ends[i] == CF_EDEADLINE;
        }
        spin_for(MILLISECOND); /* what comes late has its chance */
        for (size_t i = 0; i < BATCH; i++) {
            uint64_t value = 42;
            EXPECT(ends[i], cf_future_result(futures[i], 0, &value));
            EXPECT_EQ(value, ends[i] == CF_OK ? i : 42);
            cf_future_release(futures[i]);
        }
    }
    EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
    EXPECT_EQ(counter_get(&called), rounds * BATCH);
    cf_stats s = stats_of(ex);
    fprintf(stderr, "%zu of %zu timed out\n", timed_out, rounds * BATCH);
    EXPECT_EQ(s.timed_out, timed_out);
    EXPECT_EQ(s.failed, timed_out);
    EXPECT_EQ(s.finished, rounds * BATCH);
    EXPECT_EQ(s.pending + s.running + s.cancelled + s.retries, 0);
    cf_executor_destroy(ex);
}

/* ---- other endings --------------------------------------------------------------------------- */

Test(deadlines, of_cancelled_tasks_do_not_matter) {
    NEEDS(cancels_pending);
    counter *c = shared_alloc(3 * sizeof *c);
    cf_executor *ex = create(1);
    blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2], .value = 5};
    cf_future *held =
        submit_limited(ex, &blocker_task, &b, (cf_submit_options){.timeout_ns = LONG_WAIT});
    cr_assert(counter_wait(&c[0], 1));
    cf_future *f = submit_limited(ex, &until_cancelled_task, NULL,
                                  (cf_submit_options){.timeout_ns = MILLISECOND});
    cr_assert(cf_future_cancel(f));
    EXPECT(CF_ECANCELLED, cf_future_result(f, 0, NULL));
    spin_for(5 * MILLISECOND);
    EXPECT(CF_ECANCELLED, cf_future_result(f, 0, NULL));
    counter_add(&c[1], 1);
    EXPECT_EQ(take(held), 5);
    EXPECT_EQ(stats_of(ex).timed_out, 0);
    cf_future_release(f);
    cf_executor_destroy(ex);
    shared_free(c, 3 * sizeof *c);
}

Test(deadlines, wake_as_completed) {
    enum {
        N = 6
    };
    cf_executor *ex = create(2);
    cf_future *futures[N], *f = NULL;
    cf_as_completed *ac = NULL;
    for (size_t i = 0; i < N; i++) {
        futures[i] = submit_limited(ex, &until_cancelled_task, NULL,
                                    (cf_submit_options){.timeout_ns = 20 * MILLISECOND});
    }
    EXPECT(CF_OK, cf_as_completed_create(futures, N, &ac));
    for (size_t i = 0; i < N; i++) {
        EXPECT(CF_OK, cf_as_completed_next(ac, LONG_WAIT, &f, NULL));
        expect_over_its_time(f, 20 * MILLISECOND);
    }
    EXPECT(CF_EEXHAUSTED, cf_as_completed_next(ac, 0, &f, NULL));
    cf_as_completed_destroy(ac);
    for (size_t i = 0; i < N; i++) {
        cf_future_release(futures[i]);
    }
    cf_executor_destroy(ex);
}
