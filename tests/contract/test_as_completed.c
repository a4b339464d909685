/* An iteration hands out each future once, in the order in which they finish. Each costs the same, however
 * many there are and in whatever order they were given. */
#include "rows.h"

#include <stdlib.h>
#include <time.h>

TestSuite(as_completed, .timeout = TEST_SECONDS);

static cf_as_completed *watch(cf_future *const *futures, size_t count) {
    cf_as_completed *ac = NULL;
    EXPECT(CF_OK, cf_as_completed_create(futures, count, &ac));
    cr_assert(ac != NULL);
    return ac;
}

static size_t next_index(cf_as_completed *ac, cf_future *const *futures) {
    cf_future *f = NULL;
    size_t index = SIZE_MAX;
    EXPECT(CF_OK, cf_as_completed_next(ac, LONG_WAIT, &f, &index));
    cr_assert(f == futures[index], "the future is not the one at its index, %zu", index);
    cf_state state = cf_future_state(f);
    cr_assert(state == CF_FINISHED || state == CF_CANCELLED, "handed out %s", cf_state_name(state));
    return index;
}

static void expect_exhausted(cf_as_completed *ac) {
    cf_future *f = NULL;
    EXPECT(CF_EEXHAUSTED, cf_as_completed_next(ac, 0, &f, NULL));
    EXPECT(CF_EEXHAUSTED, cf_as_completed_next(ac, CF_FOREVER, &f, NULL));
}

static void expect_timeout(cf_as_completed *ac, int64_t timeout_ns) {
    cf_future *f = NULL;
    int64_t start = now_ns();
    EXPECT(CF_ETIMEDOUT, cf_as_completed_next(ac, timeout_ns, &f, NULL));
    cr_assert(now_ns() - start >= timeout_ns);
    cr_assert(f == NULL);
}

static void submit_squares(cf_executor *ex, cf_future **futures, size_t count) {
    for (uint64_t i = 0; i < count; i++) {
        futures[i] = submit(ex, &square_task, &i);
    }
}

static void release_all(cf_future **futures, size_t count) {
    for (size_t i = 0; i < count; i++) {
        cf_future_release(futures[i]);
    }
}

Test(as_completed, of_nothing) {
    cf_as_completed *ac = watch(NULL, 0);
    expect_exhausted(ac);
    cf_as_completed_destroy(ac);
}

Test(as_completed, done_already_come_in_the_order_given) {
    enum {
        N = 50
    };
    cf_future *futures[N], *given[N];
    cf_executor *ex = create(2);
    submit_squares(ex, futures, N);
    for (size_t i = 0; i < N; i++) {
        EXPECT(CF_OK, cf_future_result(futures[i], LONG_WAIT, NULL));
        given[i] = futures[(i * 7) % N];
    }
    cf_as_completed *ac = watch(given, N);
    for (size_t i = 0; i < N; i++) {
        EXPECT_EQ(next_index(ac, given), i);
    }
    expect_exhausted(ac);
    cf_as_completed_destroy(ac);
    release_all(futures, N);
    cf_executor_destroy(ex);
}

Test(as_completed, order_is_that_of_completion) {
    NEEDS(runs_beside_caller);
    enum {
        N = 6
    };
    static const size_t order[N] = {3, 0, 5, 1, 4, 2};
    counter *c = shared_alloc((2 + N) * sizeof *c);
    cf_executor *ex = create(N);
    cf_future *futures[N];
    for (size_t i = 0; i < N; i++) {
        blocker b = {.begun = &c[0], .ran = &c[1], .gate = &c[2 + i], .value = i};
        futures[i] = submit(ex, &blocker_task, &b);
    }
    cr_assert(counter_wait(&c[0], N));
    cf_as_completed *ac = watch(futures, N);
    for (size_t i = 0; i < N; i++) {
        expect_timeout(ac, 0);
        counter_add(&c[2 + order[i]], 1);
        EXPECT_EQ(next_index(ac, futures), order[i]);
    }
    expect_exhausted(ac);
    cf_as_completed_destroy(ac);
    release_all(futures, N);
    cf_executor_destroy(ex);
    shared_free(c, (2 + N) * sizeof *c);
}

Test(as_completed, every_kind_of_future_at_once) {
    NEEDS(cancels_pending);
    enum {
        DONE,
        FAILED,
        RUNNING,
        PENDING,
        CANCELLED,
        CANCELLED_LATER,
        N
    };
    counter *c = shared_alloc(3 * sizeof *c);
    cf_executor *ex = create(1);
    blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2]};
    cf_future *futures[N];
    futures[DONE] = submit(ex, &square_task, &(uint64_t){2});
    futures[FAILED] = submit(ex, &error_task, &(int){1});
    EXPECT(CF_OK, cf_future_result(futures[DONE], LONG_WAIT, NULL));
    EXPECT(CF_ETASK, cf_future_result(futures[FAILED], LONG_WAIT, NULL));
    futures[RUNNING] = submit(ex, &blocker_task, &b);
    cr_assert(counter_wait(&c[0], 1));
    futures[PENDING] = submit(ex, &square_task, &(uint64_t){3});
    futures[CANCELLED] = submit(ex, &square_task, &(uint64_t){4});
    futures[CANCELLED_LATER] = submit(ex, &square_task, &(uint64_t){5});
    cr_assert(cf_future_cancel(futures[CANCELLED]));

    cf_as_completed *ac = watch(futures, N);
    EXPECT_EQ(next_index(ac, futures), DONE);
    EXPECT_EQ(next_index(ac, futures), FAILED);
    EXPECT_EQ(next_index(ac, futures), CANCELLED);
    expect_timeout(ac, 20 * MILLISECOND);
    cr_assert(cf_future_cancel(futures[CANCELLED_LATER]));
    EXPECT_EQ(next_index(ac, futures), CANCELLED_LATER);
    counter_add(&c[1], 1);
    EXPECT_EQ(next_index(ac, futures), RUNNING);
    EXPECT_EQ(next_index(ac, futures), PENDING);
    expect_exhausted(ac);
    cf_as_completed_destroy(ac);
    release_all(futures, N);
    cf_executor_destroy(ex);
    shared_free(c, 3 * sizeof *c);
}

Test(as_completed, duplicates_count_once) {
    enum {
        N = 20
    };
    cf_future *futures[N], *given[3 * N];
    bool seen[N] = {false};
    cf_executor *ex = create(2);
    submit_squares(ex, futures, N);
    for (size_t i = 0; i < 3 * N; i++) {
        given[i] = futures[i % N];
    }
    cf_as_completed *ac = watch(given, 3 * N);
    for (size_t i = 0; i < N; i++) {
        size_t which = next_index(ac, given) % N;
        cr_assert_not(seen[which], "future %zu came twice", which);
        seen[which] = true;
    }
    expect_exhausted(ac);
    cf_as_completed_destroy(ac);
    release_all(futures, N);
    cf_executor_destroy(ex);
}

Test(as_completed, several_executors) {
    enum {
        EACH = 300,
        N = 3 * EACH
    };
    cf_executor *executors[3] = {create(2), NULL, NULL};
    EXPECT(CF_OK, cf_serial_create(NULL, &executors[1]));
    EXPECT(CF_OK, cf_thread_pool_create(&(cf_pool_options){.max_workers = 2}, &executors[2]));
    cf_future *futures[N];
    bool seen[N] = {false};
    for (uint64_t i = 0; i < N; i++) {
        futures[i] = submit(executors[i % 3], &square_task, &i);
    }
    cf_as_completed *ac = watch(futures, N);
    for (size_t i = 0; i < N; i++) {
        size_t which = next_index(ac, futures);
        uint64_t value = 0;
        EXPECT(CF_OK, cf_future_result(futures[which], 0, &value));
        EXPECT_EQ(value, which * which);
        cr_assert_not(seen[which]);
        seen[which] = true;
    }
    expect_exhausted(ac);
    cf_as_completed_destroy(ac);
    release_all(futures, N);
    for (size_t i = 0; i < 3; i++) {
        cf_executor_destroy(executors[i]);
    }
}

Test(as_completed, futures_may_be_released_meanwhile) {
    enum {
        N = 2000
    };
    cf_future *futures[N];
    bool seen[N] = {false};
    cf_executor *ex = create(2);
    submit_squares(ex, futures, N);
    cf_as_completed *ac = watch(futures, N);
    release_all(futures, N);
    for (size_t i = 0; i < N; i++) {
        cf_future *released;
        size_t index;
        EXPECT(CF_OK, cf_as_completed_next(ac, LONG_WAIT, &released, &index));
        cr_assert(index < N && !seen[index]);
        seen[index] = true;
    }
    expect_exhausted(ac);
    cf_as_completed_destroy(ac);
    cf_executor_destroy(ex);
}

Test(as_completed, may_end_early) {
    enum {
        N = 1000
    };
    cf_future *futures[N];
    cf_executor *ex = create(2);
    for (int round = 0; round < 20; round++) {
        submit_squares(ex, futures, N);
        cf_as_completed *ac = watch(futures, N);
        for (int i = 0; i < 50 * round; i++) {
            next_index(ac, futures);
        }
        cf_as_completed_destroy(ac);
        for (uint64_t i = 0; i < N; i++) {
            EXPECT_EQ(take(futures[i]), i * i);
        }
    }
    cf_executor_destroy(ex);
}

Test(as_completed, goes_on_after_the_executor_is_destroyed) {
    enum {
        N = 200
    };
    cf_future *futures[N];
    cf_executor *ex = create(2);
    submit_squares(ex, futures, N);
    cf_as_completed *ac = watch(futures, N);
    next_index(ac, futures);
    cf_executor_destroy(ex);
    for (size_t i = 1; i < N; i++) {
        next_index(ac, futures);
    }
    expect_exhausted(ac);
    cf_as_completed_destroy(ac);
    release_all(futures, N);
}

Test(as_completed, two_may_watch_the_same_futures) {
    enum {
        N = 300
    };
    cf_future *futures[N];
    cf_executor *ex = create(2);
    submit_squares(ex, futures, N);
    cf_as_completed *first = watch(futures, N), *second = watch(futures, N);
    for (size_t i = 0; i < N; i++) {
        next_index(first, futures);
        next_index(second, futures);
    }
    expect_exhausted(first);
    expect_exhausted(second);
    cf_as_completed_destroy(first);
    cf_as_completed_destroy(second);
    release_all(futures, N);
    cf_executor_destroy(ex);
}

/* ---- what it costs --------------------------------------------------------------------------- */

/* Of this thread alone: what other programs do to the clock on the wall is not counted. */
static int64_t cpu_time_ns(void) {
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (int64_t)ts.tv_sec * SECOND + ts.tv_nsec;
}

/* Hands out a batch of n; returns how long this thread worked for that. */
static int64_t time_of(cf_executor *ex, size_t n) {
    cf_future **futures = malloc(n * sizeof(cf_future *));
    unsigned char *seen = calloc(n, 1);
    submit_squares(ex, futures, n);
    int64_t start = cpu_time_ns();
    cf_as_completed *ac = watch(futures, n);
    for (size_t i = 0; i < n; i++) {
        size_t index = next_index(ac, futures);
        cr_assert(seen[index]++ == 0, "future %zu came twice", index);
    }
    int64_t taken = cpu_time_ns() - start;
    expect_exhausted(ac);
    cf_as_completed_destroy(ac);
    release_all(futures, n);
    free(seen);
    free(futures);
    return taken;
}

Test(as_completed, ten_thousand_each_once) {
    cf_executor *ex = create(2);
    time_of(ex, scaled(10000));
    cf_executor_destroy(ex);
}

/* Twenty times the futures take some twenty times as long, and up to four times that where they no longer fit
 * into a cache; four hundred times if next() looked at each of them. The least of several times is taken, as
 * other programs can only lengthen one. */
Test(as_completed, costs_the_same_for_each) {
    enum {
        SMALL = 2000,
        TIMES = 20,
        TRIES = 7
    };
    cf_executor *ex = create(2);
    int64_t small = INT64_MAX, large = INT64_MAX;
    for (int i = 0; i < TRIES; i++) {
        int64_t s = time_of(ex, SMALL), l = time_of(ex, TIMES * SMALL);
        small = s < small ? s : small;
        large = l < large ? l : large;
    }
    double ratio = (double)large / (double)small;
    cr_assert(ratio < 8.0 * TIMES, "%d times the futures take %.1f times as long", TIMES, ratio);
    cf_executor_destroy(ex);
}

typedef enum pattern {
    REVERSED,
    SHUFFLED,
    TWICE, /* all of them, and all of them again */
    PATTERNS
} pattern;

static size_t arrange(cf_future **given, cf_future **futures, size_t n, pattern how,
                      uint64_t *seed) {
    for (size_t i = 0; i < n; i++) {
        given[i] = futures[how == REVERSED ? n - 1 - i : i];
        given[n + i] = futures[i];
    }
    for (size_t i = n; how == SHUFFLED && i > 1; i--) {
        const size_t k = random_next(seed) % i;
        cf_future *f = given[k];
        given[k] = given[i - 1];
        given[i - 1] = f;
    }
    return how == TWICE ? 2 * n : n;
}

static int64_t time_of_pattern(cf_executor *ex, size_t n, pattern how, bool done_before,
                               uint64_t *seed) {
    cf_future **futures = malloc(n * sizeof(cf_future *));
    cf_future **given = malloc(2 * n * sizeof(cf_future *));
    for (uint64_t i = 0; i < n; i++) {
        futures[i] = submit(ex, &square_task, &i);
    }
    if (done_before) {
        EXPECT(CF_OK, cf_wait(futures, n, CF_ALL_COMPLETED, LONG_WAIT, NULL));
    }
    const size_t count = arrange(given, futures, n, how, seed);
    cf_as_completed *ac = NULL;
    const int64_t start = cpu_time_ns();
    EXPECT(CF_OK, cf_as_completed_create(given, count, &ac));
    for (size_t i = 0; i < n; i++) {
        cf_future *f = NULL;
        cr_assert_eq(cf_as_completed_next(ac, LONG_WAIT, &f, NULL), CF_OK);
    }
    EXPECT(CF_EEXHAUSTED, cf_as_completed_next(ac, 0, &(cf_future *){NULL}, NULL));
    cf_as_completed_destroy(ac);
    const int64_t taken = cpu_time_ns() - start;
    for (size_t i = 0; i < n; i++) {
        cf_future_release(futures[i]);
    }
    free(given);
    free(futures);
    return taken;
}

/* As above, for what is given in another order than it ends in. */
Test(as_completed, costs_the_same_in_any_order) {
    enum {
        SMALL = 2000,
        TIMES = 20,
        TRIES = 5
    };
    uint64_t seed = test_seed("as_completed/costs_the_same_in_any_order");
    cf_executor *ex = create(2);
    for (int k = 0; k < 2 * PATTERNS; k++) {
        const pattern how = (pattern)(k % PATTERNS);
        int64_t small = INT64_MAX, large = INT64_MAX;
        for (int i = 0; i < TRIES; i++) {
            const int64_t s = time_of_pattern(ex, SMALL, how, k >= PATTERNS, &seed);
            const int64_t l = time_of_pattern(ex, TIMES * SMALL, how, k >= PATTERNS, &seed);
            small = s < small ? s : small;
            large = l < large ? l : large;
        }
        const double ratio = (double)large / (double)small;
        cr_assert(ratio < 8.0 * TIMES, "order %d: %d times the futures take %.1f times as long", k,
                  TIMES, ratio);
    }
    cf_executor_destroy(ex);
}
