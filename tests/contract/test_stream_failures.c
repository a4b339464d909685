/* An item that fails, kills its worker or overruns its time costs no other item of its stream, and tells how
 * it ended. Items that are tried again stay within the window. */
#include "stream.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

TestSuite(stream_failures, .timeout = TEST_SECONDS);

static int run_odd_fails(const void *arg, void *result, cf_task_context *ctx) {
    uint64_t n = *(const uint64_t *)arg;
    memset(result, 'x', n % 9);
    cf_task_set_result_size(ctx, n % 9);
    return n % 2 == 1 ? (int)n : 0;
}

Test(stream_failures, errors_and_lengths_are_each_items_own) {
    cf_executor *ex = create(3);
    const cf_task task = {.run = run_odd_fails, .arg_size = 8, .result_size = 8};
    for (size_t chunk = 1; chunk < 100; chunk *= 5) {
        numbers source = {.end = 500};
        cf_stream *stream =
            open_stream(ex, &task, next_number, &source, (cf_stream_options){.chunk = chunk});
        cf_stream_item item;
        for (uint64_t i = 0; i < 500; i++) {
            EXPECT(CF_OK, cf_stream_next(stream, LONG_WAIT, &item));
            EXPECT_EQ(item.index, i);
            EXPECT_EQ(*(const uint64_t *)item.arg, i);
            EXPECT_EQ(item.exception.status, i % 2 == 1 ? CF_ETASK : CF_OK);
            EXPECT_EQ(item.exception.task_error, i % 2 == 1 ? i : 0);
            size_t size = i % 9 < 8 ? i % 9 : 8;
            EXPECT_EQ(item.result_size, i % 2 == 1 ? 0 : size);
            cr_assert((item.result == NULL) == (i % 2 == 1));
            cr_assert(item.result == NULL || memcmp(item.result, "xxxxxxxx", size) == 0);
        }
        EXPECT(CF_EEXHAUSTED, cf_stream_next(stream, LONG_WAIT, &item));
        cf_stream_close(stream);
    }
    cf_executor_destroy(ex);
}

/* ---- deaths ----------------------------------------------------------------------------------- */

/* Every 10th kills its worker, the first `times` times that it is tried. */
typedef struct deadly {
    uint64_t n;
    unsigned times;
    unsigned reserved;
} deadly;

SEEN_BY_TASKS static unsigned deadly_times;

static cf_source_answer next_deadly(void *context, void *arg) {
    numbers *n = context;
    *(deadly *)arg = (deadly){.n = n->given, .times = deadly_times};
    return n->given++ < n->end ? CF_SOURCE_ITEM : CF_SOURCE_END;
}

static int run_deadly(const void *arg, void *result, cf_task_context *ctx) {
    const deadly *d = arg;
    if (d->n % 10 == 3 && cf_task_attempt(ctx) <= d->times) {
        raise(SIGKILL);
    }
    *(uint64_t *)result = mixed(d->n);
    return 0;
}

static void check_deaths(cf_executor *ex, unsigned times, cf_stream_options options) {
    const cf_task task = {.run = run_deadly, .arg_size = sizeof(deadly), .result_size = 8};
    enum {
        N = 60
    };
    bool seen[N] = {false};
    numbers source = {.end = N};
    deadly_times = times;
    cf_stream *stream = open_stream(ex, &task, next_deadly, &source, options);
    cf_stream_item item;
    for (uint64_t i = 0; i < N; i++) {
        EXPECT(CF_OK, cf_stream_next(stream, LONG_WAIT, &item));
        cr_assert(item.index < N && !seen[item.index]);
        seen[item.index] = true;
        cr_assert(options.as_completed || item.index == i);
        EXPECT_EQ(((const deadly *)item.arg)->n, item.index);
        bool dies = item.index % 10 == 3 && times > options.retries;
        EXPECT_EQ(item.exception.status, dies ? CF_EWORKER : CF_OK);
        EXPECT_EQ(item.exception.signal, dies ? SIGKILL : 0);
        cr_assert(dies == (item.result == NULL));
        cr_assert(dies || *(const uint64_t *)item.result == mixed(item.index));
    }
    EXPECT(CF_EEXHAUSTED, cf_stream_next(stream, LONG_WAIT, &item));
    cf_stream_close(stream);
}

Test(stream_failures, a_dead_worker_costs_one_item) {
    NEEDS(survives_worker_death);
    cf_executor *ex = create(2);
    for (unsigned retries = 0; retries <= 2; retries++) {
        for (size_t chunk = 1; chunk <= 60; chunk *= 4) {
            for (int completed = 0; completed < 2; completed++) {
                cf_stream_options options = {
                    .chunk = chunk, .retries = retries, .as_completed = completed != 0};
                check_deaths(ex, 1, options);
                check_deaths(ex, 2, options);
            }
        }
    }
    cf_stats stats;
    EXPECT(CF_OK, cf_executor_stats(ex, &stats));
    EXPECT_EQ(stats.unseen, 0); /* whoever reads the items is told */
    cf_executor_destroy(ex);
}

static int run_every_5th_dies(const void *arg, void *result, cf_task_context *ctx) {
    uint64_t n = *(const uint64_t *)arg;
    if (n % 5 == 3) {
        raise(SIGKILL);
    }
    *(uint64_t *)result = n + cf_task_attempt(ctx);
    return 0;
}

static const cf_task dying_task = {
    .run = run_every_5th_dies, .arg_size = sizeof(uint64_t), .result_size = sizeof(uint64_t)};

/* The rest of a chunk is sent again out of the window that it already has. */
Test(stream_failures, the_window_holds_when_workers_die) {
    NEEDS(survives_worker_death);
    enum {
        N = 40
    };
    cf_executor *ex = create(2);
    for (int completed = 0; completed < 2; completed++) {
        numbers source = {.end = N, .window = 8};
        bool seen[N] = {false};
        cf_stream *stream = open_stream(
            ex, &dying_task, next_number, &source,
            (cf_stream_options){.window = 8, .chunk = 4, .as_completed = completed != 0});
        cf_stream_item item;
        for (; source.handed_out < N; source.handed_out++) {
            EXPECT(CF_OK, cf_stream_next(stream, LONG_WAIT, &item));
            cr_assert(item.index < N && !seen[item.index]);
            seen[item.index] = true;
            bool dies = item.index % 5 == 3;
            EXPECT_EQ(item.exception.status, dies ? CF_EWORKER : CF_OK);
            cr_assert(dies || *(const uint64_t *)item.result == item.index + 1);
        }
        EXPECT(CF_EEXHAUSTED, cf_stream_next(stream, LONG_WAIT, &item));
        cf_stream_close(stream);
    }
    cf_executor_destroy(ex);
}

static int run_dies_once(const void *arg, void *result, cf_task_context *ctx) {
    if (cf_task_attempt(ctx) == 1 && *(const uint64_t *)arg % 10 == 7) {
        _exit(3);
    }
    *(uint64_t *)result = cf_task_attempt(ctx);
    return 0;
}

/* Only the item that was running is at its next attempt; what was sent again behind it is not. */
Test(stream_failures, attempts_are_each_items_own) {
    NEEDS(survives_worker_death);
    const cf_task task = {
        .run = run_dies_once, .arg_size = sizeof(uint64_t), .result_size = sizeof(uint64_t)};
    cf_executor *ex = create(2);
    cf_stats stats;
    numbers source = {.end = 50};
    cf_stream *stream = open_stream(ex, &task, next_number, &source,
                                    (cf_stream_options){.chunk = 25, .retries = 1});
    cf_stream_item item;
    for (uint64_t i = 0; i < 50; i++) {
        EXPECT(CF_OK, cf_stream_next(stream, LONG_WAIT, &item));
        EXPECT_EQ(item.exception.status, CF_OK);
        EXPECT_EQ(*(const uint64_t *)item.result, i % 10 == 7 ? 2 : 1);
    }
    cf_stream_close(stream);
    EXPECT(CF_OK, cf_executor_stats(ex, &stats));
    EXPECT_EQ(stats.retries, 5);
    cf_executor_destroy(ex);
}

/* ---- time ------------------------------------------------------------------------------------- */

/* Every 7th takes for ever: until it is asked to return where nobody can be killed. */
static int run_some_hang(const void *arg, void *result, cf_task_context *ctx) {
    uint64_t n = *(const uint64_t *)arg;
    while (n % 7 == 2 && !cf_task_cancelled(ctx)) {}
    *(uint64_t *)result = mixed(n);
    return 0;
}

Test(stream_failures, an_item_over_its_time_costs_no_other) {
    const cf_task task = {.run = run_some_hang, .arg_size = 8, .result_size = 8};
    cf_executor *ex = create(2);
    for (size_t chunk = 1; chunk <= 30; chunk += 9) {
        numbers source = {.end = 40};
        cf_stream *stream = open_stream(
            ex, &task, next_number, &source,
            (cf_stream_options){.chunk = chunk, .timeout_ns = 30 * MILLISECOND, .retries = 1});
        cf_stream_item item;
        for (uint64_t i = 0; i < 40; i++) {
            EXPECT(CF_OK, cf_stream_next(stream, LONG_WAIT, &item));
            EXPECT_EQ(item.index, i);
            EXPECT_EQ(*(const uint64_t *)item.arg, i);
            if (i % 7 == 2) {
                EXPECT_EQ(item.exception.status, CF_EDEADLINE);
                EXPECT_EQ(item.exception.timeout_ns, 30 * MILLISECOND);
            } else if (item.exception.status != CF_EDEADLINE) { /* on a machine that is too busy */
                check_mixed(&item);
            }
        }
        EXPECT(CF_EEXHAUSTED, cf_stream_next(stream, LONG_WAIT, &item));
        cf_stream_close(stream);
    }
    cf_executor_destroy(ex);
}

static int run_some_never_return(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    uint64_t n = *(const uint64_t *)arg;
    while (n % 6 == 4) {
        pause();
    }
    *(uint64_t *)result = n;
    return 0;
}

/* Blocked for ever, and not asking whether it may go on. */
Test(stream_failures, an_item_that_never_returns_costs_no_other) {
    NEEDS(survives_worker_death);
    enum {
        N = 24
    };
    const cf_task task = {.run = run_some_never_return,
                          .arg_size = sizeof(uint64_t),
                          .result_size = sizeof(uint64_t)};
    cf_executor *ex = create(2);
    for (size_t chunk = 1; chunk <= 12; chunk += 11) {
        numbers source = {.end = N};
        cf_stream *stream = open_stream(
            ex, &task, next_number, &source,
            (cf_stream_options){.chunk = chunk, .timeout_ns = 200 * MILLISECOND, .retries = 3});
        cf_stream_item item;
        for (uint64_t i = 0; i < N; i++) {
            EXPECT(CF_OK, cf_stream_next(stream, LONG_WAIT, &item));
            EXPECT_EQ(item.index, i);
            if (i % 6 == 4) {
                EXPECT_EQ(item.exception.status, CF_EDEADLINE);
                EXPECT_EQ(item.exception.timeout_ns, 200 * MILLISECOND);
            } else if (item.exception.status != CF_EDEADLINE) { /* on a machine that is too busy */
                EXPECT_EQ(item.exception.status, CF_OK);
                EXPECT_EQ(*(const uint64_t *)item.result, i);
            }
        }
        EXPECT(CF_EEXHAUSTED, cf_stream_next(stream, LONG_WAIT, &item));
        cf_stream_close(stream);
    }
    cf_stats stats;
    EXPECT(CF_OK, cf_executor_stats(ex, &stats));
    EXPECT_EQ(stats.retries, 0); /* a run over its time is not tried again */
    cf_executor_destroy(ex);
}
