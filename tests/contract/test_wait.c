/* cf_wait returns when its condition holds or its time is over, and counts what is done. A future describes
 * its state, and lives until its last release. */
#include "rows.h"

#include <stdio.h>
#include <string.h>

TestSuite(wait, .timeout = TEST_SECONDS);

enum {
    N = 5
};

/* N tasks that wait for a gate each, on as many workers, all begun. */
typedef struct gated {
    counter *counters;
    cf_executor *executor;
    cf_future *futures[N];
} gated;

static gated make_gated(void) {
    gated g = {.counters = shared_alloc((2 + N) * sizeof(counter)), .executor = create(N)};
    for (size_t i = 0; i < N; i++) {
        blocker b = {.begun = &g.counters[0], .ran = &g.counters[1], .gate = &g.counters[2 + i]};
        g.futures[i] = submit(g.executor, &blocker_task, &b);
    }
    cr_assert(counter_wait(&g.counters[0], N));
    return g;
}

static void let_go(gated *g, size_t i) {
    counter_add(&g->counters[2 + i], 1);
    EXPECT(CF_OK, cf_future_result(g->futures[i], LONG_WAIT, NULL));
}

static void unmake_gated(gated *g) {
    for (size_t i = 0; i < N; i++) {
        counter_add(&g->counters[2 + i], 1);
        cf_future_release(g->futures[i]);
    }
    cf_executor_destroy(g->executor);
    shared_free(g->counters, (2 + N) * sizeof(counter));
}

static void expect_wait(cf_status wanted, cf_future *const *futures, size_t count,
                        cf_wait_for condition, int64_t timeout_ns, size_t done_wanted) {
    size_t done = SIZE_MAX;
    EXPECT(wanted, cf_wait(futures, count, condition, timeout_ns, &done));
    EXPECT_EQ(done, done_wanted);
}

Test(wait, for_nothing) {
    expect_wait(CF_OK, NULL, 0, CF_ALL_COMPLETED, CF_FOREVER, 0);
    expect_wait(CF_OK, NULL, 0, CF_FIRST_COMPLETED, CF_FOREVER, 0);
    expect_wait(CF_OK, NULL, 0, CF_FIRST_EXCEPTION, CF_FOREVER, 0);
}

Test(wait, refuses_what_is_none) {
    cf_executor *ex = create(1);
    cf_future *f = submit(ex, &square_task, &(uint64_t){3}), *none = NULL;
    EXPECT(CF_EINVAL, cf_wait(&none, 1, CF_ALL_COMPLETED, 0, NULL));
    EXPECT(CF_EINVAL, cf_wait(NULL, 1, CF_ALL_COMPLETED, 0, NULL));
    EXPECT(CF_EINVAL, cf_wait(&f, 1, (cf_wait_for)17, 0, NULL));
    EXPECT_EQ(take(f), 9);
    cf_executor_destroy(ex);
}

Test(wait, counts_what_is_done_under_every_condition) {
    NEEDS(runs_beside_caller);
    gated g = make_gated();
    for (size_t let = 0; let <= N; let++) {
        bool all = let == N;
        expect_wait(all ? CF_OK : CF_ETIMEDOUT, g.futures, N, CF_ALL_COMPLETED, 0, let);
        expect_wait(all ? CF_OK : CF_ETIMEDOUT, g.futures, N, CF_FIRST_EXCEPTION, 0, let);
        expect_wait(let > 0 ? CF_OK : CF_ETIMEDOUT, g.futures, N, CF_FIRST_COMPLETED, 0, let);
        if (!all) {
            let_go(&g, let);
        }
    }
    unmake_gated(&g);
}

Test(wait, ends_in_time) {
    NEEDS(runs_beside_caller);
    gated g = make_gated();
    int64_t start = now_ns();
    expect_wait(CF_ETIMEDOUT, g.futures, N, CF_FIRST_COMPLETED, 20 * MILLISECOND, 0);
    cr_assert(now_ns() - start >= 20 * MILLISECOND);
    unmake_gated(&g);
}

Test(wait, is_woken_by_the_first) {
    NEEDS(runs_beside_caller);
    gated g = make_gated();
    counter_add(&g.counters[2 + 3], 1);
    expect_wait(CF_OK, g.futures, N, CF_FIRST_COMPLETED, CF_FOREVER, 1);
    cr_assert(cf_future_done(g.futures[3]));
    cr_assert_not(cf_future_done(g.futures[0]));
    unmake_gated(&g);
}

Test(wait, is_woken_by_an_exception_but_not_by_a_cancelled_task) {
    NEEDS(cancels_pending);
    gated g = make_gated(); /* every worker is busy: what follows stays pending */
    cf_future *futures[3] = {g.futures[0], submit(g.executor, &error_task, &(int){7}),
                             submit(g.executor, &square_task, &(uint64_t){2})};
    cr_assert(cf_future_cancel(futures[2]));
    expect_wait(CF_ETIMEDOUT, futures, 3, CF_FIRST_EXCEPTION, 0, 1);
    let_go(&g, 1); /* its worker takes the one that fails */
    expect_wait(CF_OK, futures, 3, CF_FIRST_EXCEPTION, CF_FOREVER, 2);
    cr_assert_not(cf_future_done(futures[0]));
    cf_future_release(futures[1]);
    cf_future_release(futures[2]);
    unmake_gated(&g);
}

Test(wait, counts_duplicates_once_and_spans_executors) {
    cf_executor *one = create(1), *other = NULL;
    EXPECT(CF_OK, cf_thread_pool_create(NULL, &other));
    cf_future *a = submit(one, &square_task, &(uint64_t){2});
    cf_future *b = submit(other, &square_task, &(uint64_t){3});
    cf_future *futures[] = {a, b, a, a, b};
    expect_wait(CF_OK, futures, COUNT_OF(futures), CF_ALL_COMPLETED, CF_FOREVER, 2);
    EXPECT_EQ(take(a), 4);
    EXPECT_EQ(take(b), 9);
    cf_executor_destroy(one);
    cf_executor_destroy(other);
}

/* ---- what a future tells of itself ----------------------------------------------------------- */

static void expect_description(cf_future *future, const char *state) {
    char wanted[200], text[200], cut[12];
    snprintf(wanted, sizeof wanted, "<Future at %p state=%s>", (void *)future, state);
    cr_assert_str_eq(cf_future_describe(future, text, sizeof text), wanted);
    cr_assert_str_eq(cf_future_describe(future, cut, sizeof cut), "<Future at ");
}

Test(wait, futures_describe_themselves) {
    NEEDS(cancels_pending);
    cf_task typed = square_task;
    typed.result_type = "str";
    gated g = make_gated();
    cf_future *fails = submit(g.executor, &error_task, &(int){7});
    cf_future *succeeds = submit(g.executor, &typed, &(uint64_t){2});
    cf_future *cancelled = submit(g.executor, &square_task, &(uint64_t){2});
    expect_description(g.futures[0], "running");
    expect_description(fails, "pending");
    cr_assert(cf_future_running(g.futures[0]));
    cr_assert_not(cf_future_running(fails));
    cr_assert(cf_future_cancel(cancelled));
    expect_description(cancelled, "cancelled");
    let_go(&g, 0);
    EXPECT(CF_ETASK, cf_future_result(fails, LONG_WAIT, NULL));
    EXPECT(CF_OK, cf_future_result(succeeds, LONG_WAIT, NULL));
    expect_description(fails, "finished raised CF_ETASK");
    expect_description(succeeds, "finished returned str");
    cr_assert_not(cf_future_running(g.futures[0]));
    cr_assert(cf_future_done(cancelled));
    cf_future_release(fails);
    cf_future_release(succeeds);
    cf_future_release(cancelled);
    unmake_gated(&g);
}

Test(wait, a_retained_future_outlives_its_first_release) {
    cf_executor *ex = create(1);
    cf_future *f = submit(ex, &square_task, &(uint64_t){5});
    cr_assert(cf_future_retain(f) == f);
    cr_assert(cf_future_retain(NULL) == NULL);
    cf_future_release(f);
    cf_executor_destroy(ex);
    EXPECT_EQ(take(f), 25);
}
