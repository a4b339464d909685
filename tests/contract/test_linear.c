/* Waiting for many costs the same for each: twice as many futures take twice the time. */
#include "rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

TestSuite(linear, .timeout = TEST_SECONDS);

#if defined(__SANITIZE_ADDRESS__)
#define SLOWED_DOWN 10
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLOWED_DOWN 10
#endif
#endif
#ifndef SLOWED_DOWN
#define SLOWED_DOWN 1
#endif

enum {
    N = 30000 / SLOWED_DOWN,
    ROUNDS = 5,
    TRIES = 8 /* on a machine that others use, too */
};

/* Four if each looked at all others. The caches of a busy machine make it 2.3 at times. */
#define RATIO_MOST 2.6

/* ---- what is measured ------------------------------------------------------------------------ */

typedef void consumption(cf_future *const *futures, size_t count);

static void iterate(cf_future *const *futures, size_t count) {
    cf_as_completed *ac = NULL;
    cf_future *f;
    size_t handed_out = 0;
    EXPECT(CF_OK, cf_as_completed_create(futures, count, &ac));
    cf_status status;
    while ((status = cf_as_completed_next(ac, LONG_WAIT, &f, NULL)) == CF_OK) {
        handed_out++;
    }
    EXPECT(CF_EEXHAUSTED, status);
    EXPECT_EQ(handed_out, count);
    cf_as_completed_destroy(ac);
}

static void wait_for_all(cf_future *const *futures, size_t count) {
    size_t done = 0;
    EXPECT(CF_OK, cf_wait(futures, count, CF_ALL_COMPLETED, LONG_WAIT, &done));
    EXPECT_EQ(done, count);
}

static void wait_for_exception(cf_future *const *futures, size_t count) {
    size_t done = 0;
    EXPECT(CF_OK, cf_wait(futures, count, CF_FIRST_EXCEPTION, LONG_WAIT, &done));
    EXPECT_EQ(done, count);
}

/* An executor with a queue full of futures, all done, or all held up behind a closed gate. */
typedef struct load {
    cf_executor *executor;
    counter *counters;
    cf_future **futures;
    cf_future *held;
    size_t count;
} load;

static load load_of(size_t count, bool done) {
    load l = {.executor = create(1), .counters = shared_alloc(3 * sizeof(counter)), .count = count};
    const blocker b = {.begun = &l.counters[0], .gate = &l.counters[1], .ran = &l.counters[2]};
    counter_add(&l.counters[1], done);
    l.futures = malloc(count * sizeof *l.futures);
    l.held = submit(l.executor, &blocker_task, &b);
    for (uint64_t i = 0; i < count; i++) {
        l.futures[i] = submit(l.executor, &square_task, &i);
    }
    for (size_t i = 0; i < count && done; i++) {
        EXPECT(CF_OK, cf_future_result(l.futures[i], LONG_WAIT, NULL));
    }
    return l;
}

static void load_free(load l) {
    for (size_t i = 0; i < l.count; i++) {
        cf_future_release(l.futures[i]);
    }
    cf_future_release(l.held);
    cf_executor_destroy(l.executor);
    shared_free(l.counters, 3 * sizeof(counter));
    free(l.futures);
}

/* What it costs its caller: time of the processor, as others want that too. */
static int64_t own_time_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * SECOND + t.tv_nsec;
}

static double time_of(consumption *consume, size_t count, bool done) {
    load l = load_of(count, done);
    const int64_t start = own_time_ns();
    if (!done) {
        counter_add(&l.counters[1], 1);
    }
    consume(l.futures, count);
    const int64_t took = own_time_ns() - start;
    load_free(l);
    return (double)took;
}

/* ---- verdict --------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_ratio(consumption *consume, bool done) {
    double ratios[ROUNDS];
    for (size_t i = 0; i < ROUNDS; i++) { /* in turn, so that a slow moment strikes both */
        const double once = time_of(consume, N, done);
        ratios[i] = time_of(consume, 2 * N, done) / once;
    }
    qsort(ratios, ROUNDS, sizeof *ratios, compare);
    return ratios[ROUNDS / 2];
}

static void expect_linear(const char *what, consumption *consume, bool done) {
    double best = 1e9;
    time_of(consume, 2 * N, done); /* memory is touched, code is loaded */
    for (int i = 0; i < TRIES && best >= RATIO_MOST; i++) {
        const double ratio = median_ratio(consume, done);
        best = ratio < best ? ratio : best;
    }
    fprintf(stderr, "%s of %d and %d futures, %s: 1 to %.2f\n", what, N, 2 * N,
            done ? "all done" : "done meanwhile", best);
    cr_assert(best < RATIO_MOST, "%s: twice as many take %.2f times as long", what, best);
}

Test(linear, as_completed_over_what_is_done) {
    expect_linear("as_completed", iterate, true);
}

Test(linear, as_completed_over_what_finishes_meanwhile) {
    NEEDS(runs_beside_caller);
    expect_linear("as_completed", iterate, false);
}

Test(linear, wait_over_what_is_done) {
    expect_linear("wait for all", wait_for_all, true);
    expect_linear("wait for an exception", wait_for_exception, true);
}

Test(linear, wait_over_what_finishes_meanwhile) {
    NEEDS(runs_beside_caller);
    expect_linear("wait for all", wait_for_all, false);
    expect_linear("wait for an exception", wait_for_exception, false);
}
