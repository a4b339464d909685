/* Streams: combinations of what test_stream.c shows one by one. */
#include "rows.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(stream_more, .timeout = TEST_SECONDS);

/* Gives 0, 1, 2 ... */
typedef struct numbers {
    uint64_t given, end;
    uint64_t handed_out; /* written by the test */
    uint64_t window;     /* 0 = do not check */
} numbers;

static cf_source_answer next_number(void *context, void *arg) {
    numbers *n = context;
    cr_assert(n->window == 0 || n->given - n->handed_out < n->window);
    if (n->given == n->end) {
        return CF_SOURCE_END;
    }
    *(uint64_t *)arg = n->given++;
    return CF_SOURCE_ITEM;
}

static cf_stream *open_stream(cf_executor *ex, const cf_task *task, cf_source_fn *source,
                              void *context, cf_stream_options options) {
    cf_stream *stream = NULL;
    EXPECT(CF_OK, cf_stream_open(ex, task, source, context, &options, &stream));
    return stream;
}

/* ---- deaths ----------------------------------------------------------------------------------- */

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
Test(stream_more, the_window_holds_when_workers_die) {
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
Test(stream_more, attempts_are_each_items_own) {
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
Test(stream_more, an_item_that_never_returns_costs_no_other) {
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

/* ---- waiting ---------------------------------------------------------------------------------- */

static cf_source_answer next_blocker(void *context, void *arg) {
    numbers *n = ((void **)context)[0];
    blocker *b = arg;
    *b = *(const blocker *)((void **)context)[1];
    b->value = n->given;
    return n->given++ < n->end ? CF_SOURCE_ITEM : CF_SOURCE_END;
}

/* A wait that ran out has lost nothing. */
Test(stream_more, goes_on_after_a_timeout) {
    NEEDS(runs_beside_caller);
    counter *counters = shared_alloc(3 * sizeof *counters);
    cf_executor *ex = create(2);
    blocker b = {.begun = &counters[0], .gate = &counters[1], .ran = &counters[2]};
    numbers source = {.end = 9};
    void *context[] = {&source, &b};
    cf_stream *stream = open_stream(ex, &blocker_task, next_blocker, context,
                                    (cf_stream_options){.window = 6, .chunk = 2});
    cf_stream_item item;
    for (int i = 0; i < 100; i++) {
        EXPECT(CF_ETIMEDOUT, cf_stream_next(stream, 0, &item));
    }
    EXPECT_EQ(source.given, 6); /* none was handed out, so none was taken */
    counter_add(&counters[1], 1);
    for (uint64_t i = 0; i < 9; i++) {
        EXPECT(CF_OK, cf_stream_next(stream, LONG_WAIT, &item));
        EXPECT_EQ(item.index, i);
        EXPECT_EQ(*(const uint64_t *)item.result, i);
    }
    EXPECT(CF_EEXHAUSTED, cf_stream_next(stream, LONG_WAIT, &item));
    cf_stream_close(stream);
    cf_executor_destroy(ex);
    shared_free(counters, 3 * sizeof *counters);
}

/* A task of its own executor may still run when the stream is closed, and ends by itself. */
Test(stream_more, closing_leaves_running_items_to_end) {
    NEEDS(runs_beside_caller);
    counter *counters = shared_alloc(3 * sizeof *counters);
    cf_executor *ex = create(1);
    blocker b = {.begun = &counters[0], .gate = &counters[1], .ran = &counters[2]};
    numbers source = {.end = 12};
    void *context[] = {&source, &b};
    cf_stream *stream = open_stream(ex, &blocker_task, next_blocker, context,
                                    (cf_stream_options){.window = 12, .chunk = 3});
    cr_assert(counter_wait(&counters[0], 1));
    cf_stream_close(stream);
    counter_add(&counters[1], 1);
    EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
    EXPECT_EQ(counter_get(&counters[2]), 3); /* the running chunk, and no other */
    cf_executor_destroy(ex);
    shared_free(counters, 3 * sizeof *counters);
}

/* ---- room ------------------------------------------------------------------------------------- */

static int run_square(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    uint64_t n = *(const uint64_t *)arg;
    *(uint64_t *)result = n * n;
    return 0;
}

static const cf_task small_task = {
    .run = run_square, .arg_size = sizeof(uint64_t), .result_size = sizeof(uint64_t)};

Test(stream_more, waits_for_room_also_where_submit_is_refused) {
    for (int refuse = 0; refuse < 2; refuse++) {
        cf_executor *ex = create_with((cf_pool_options){
            .max_workers = workers_of(2), .max_pending = 2, .refuse_when_full = refuse != 0});
        numbers source = {.end = 3000};
        cf_stream *stream = open_stream(ex, &small_task, next_number, &source,
                                        (cf_stream_options){.window = 100, .chunk = 3});
        cf_stream_item item;
        for (uint64_t i = 0; i < 3000; i++) {
            EXPECT(CF_OK, cf_stream_next(stream, LONG_WAIT, &item));
            EXPECT_EQ(item.exception.status, CF_OK);
            EXPECT_EQ(*(const uint64_t *)item.result, i * i);
        }
        EXPECT(CF_EEXHAUSTED, cf_stream_next(stream, LONG_WAIT, &item));
        cf_stream_close(stream);
        cf_executor_destroy(ex);
    }
}

static const cf_task big_result_task = {
    .run = run_square, .arg_size = sizeof(uint64_t), .result_size = 60000};

/* With the least memory that an executor may have, in both orders, and results in place. */
Test(stream_more, big_results_in_the_least_arena) {
    cf_executor *ex =
        create_with((cf_pool_options){.max_workers = workers_of(2), .arena_limit = 1 << 20});
    for (int completed = 0; completed < 2; completed++) {
        numbers source = {.end = 200};
        cf_stream *stream = open_stream(
            ex, &big_result_task, next_number, &source,
            (cf_stream_options){.window = 64, .chunk = 2, .as_completed = completed != 0});
        cf_stream_item item;
        for (uint64_t i = 0; i < 200; i++) {
            EXPECT(CF_OK, cf_stream_next(stream, LONG_WAIT, &item));
            EXPECT_EQ(item.exception.status, CF_OK);
            EXPECT_EQ(item.result_size, 60000);
            EXPECT_EQ(*(const uint64_t *)item.result, item.index * item.index);
            EXPECT_EQ(((const unsigned char *)item.result)[59999], 0);
        }
        EXPECT(CF_EEXHAUSTED, cf_stream_next(stream, LONG_WAIT, &item));
        cf_stream_close(stream);
    }
    cf_executor_destroy(ex);
}

/* ---- a source that has nothing right now ------------------------------------------------------ */

/* Gives what has come so far: `source.end` grows. */
static cf_source_answer next_that_has_come(void *context, void *arg) {
    numbers *n = context;
    if (n->given == n->end) {
        return n->window == n->end ? CF_SOURCE_END : CF_SOURCE_LATER;
    }
    *(uint64_t *)arg = n->given++;
    return CF_SOURCE_ITEM;
}

static int run_add_one(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    *(uint64_t *)result = *(const uint64_t *)arg + 1;
    return 0;
}

static const cf_task add_one_task = {
    .run = run_add_one, .arg_size = sizeof(uint64_t), .result_size = sizeof(uint64_t)};

/* All that has come is handed out, however it fits into chunks; then the wait, though for ever, ends
 * at once; and the stream goes on when more has come. */
Test(stream_more, a_source_may_have_nothing_yet) {
    enum {
        N = 60
    };
    cf_executor *ex = create(2);
    for (size_t chunk = 1; chunk <= 4; chunk += 3) {
        for (int completed = 0; completed < 2; completed++) {
            numbers source = {.window = N};
            bool seen[N] = {false};
            cf_stream *stream = open_stream(
                ex, &add_one_task, next_that_has_come, &source,
                (cf_stream_options){.window = 8, .chunk = chunk, .as_completed = completed != 0});
            cf_stream_item item;
            for (uint64_t more = 1; source.end < N; more++) {
                EXPECT(CF_ELATER, cf_stream_next(stream, CF_FOREVER, &item));
                EXPECT(CF_ELATER, cf_stream_next(stream, 0, &item));
                const uint64_t handed_out = source.end;
                source.end = source.end + more < N ? source.end + more : N;
                for (uint64_t i = handed_out; i < source.end; i++) {
                    EXPECT(CF_OK, cf_stream_next(stream, LONG_WAIT, &item));
                    EXPECT_EQ(*(const uint64_t *)item.result, item.index + 1);
                    cr_assert(item.index < source.end && !seen[item.index]);
                    cr_assert(completed || item.index == i);
                    seen[item.index] = true;
                }
            }
            EXPECT(CF_EEXHAUSTED, cf_stream_next(stream, CF_FOREVER, &item));
            cf_stream_close(stream);
        }
    }
    cf_executor_destroy(ex);
}

/* The first one waits at the gate, the others at one that is open. */
static cf_source_answer next_behind_a_blocker(void *context, void *arg) {
    const cf_source_answer answer = next_blocker(context, arg);
    blocker *b = arg;
    if (b->value != 0) {
        b->gate = ((void **)context)[2];
    }
    return answer;
}

/* The first item hides the others, and is given up. */
Test(stream_more, stopped_it_hands_out_what_is_done) {
    NEEDS(runs_beside_caller);
    enum {
        N = 6
    };
    counter *counters = shared_alloc(4 * sizeof *counters);
    cf_executor *ex = create(2);
    counter_add(&counters[3], 1);
    for (uint64_t chunk = 1; chunk <= 2; chunk++) {
        for (int completed = 0; completed < 2; completed++) {
            counters[1] = counters[2] = (counter){0};
            blocker b = {.begun = &counters[0], .gate = &counters[1], .ran = &counters[2]};
            numbers source = {.end = N};
            void *context[] = {&source, &b, &counters[3]};
            cf_stream *stream = open_stream(
                ex, &blocker_task, next_behind_a_blocker, context,
                (cf_stream_options){.window = N, .chunk = chunk, .as_completed = completed != 0});
            cf_stream_item item;
            cr_assert(counter_wait(&counters[2], N - (uint32_t)chunk));
            /* A result is there a little later than its task has counted. */
            cf_stats stats;
            do {
                EXPECT(CF_OK, cf_executor_stats(ex, &stats));
            } while (stats.running > 1 || stats.pending > 0);
            cf_stream_stop(stream);
            cf_stream_stop(stream);
            for (uint64_t i = chunk; i < N; i++) {
                EXPECT(CF_OK, cf_stream_next(stream, LONG_WAIT, &item));
                EXPECT_EQ(item.index, i);
                EXPECT_EQ(*(const uint64_t *)item.result, i);
            }
            EXPECT(CF_EEXHAUSTED, cf_stream_next(stream, CF_FOREVER, &item));
            EXPECT(CF_EEXHAUSTED, cf_stream_next(stream, 0, &item));
            counter_add(&counters[1], 1);
            cf_stream_close(stream);
            EXPECT(CF_OK, cf_executor_stats(ex, &stats));
            while (stats.running > 0) {
                EXPECT(CF_OK, cf_executor_stats(ex, &stats));
            }
        }
    }
    cf_executor_destroy(ex);
    shared_free(counters, 4 * sizeof *counters);
}

/* What has not begun never does, and the source is not asked any more. */
Test(stream_more, stopped_it_begins_nothing) {
    NEEDS(runs_beside_caller);
    counter *counters = shared_alloc(3 * sizeof *counters);
    cf_executor *ex = create(1);
    blocker b = {.begun = &counters[0], .gate = &counters[1], .ran = &counters[2]};
    numbers source = {.end = 20};
    void *context[] = {&source, &b};
    cf_stream *stream = open_stream(ex, &blocker_task, next_blocker, context,
                                    (cf_stream_options){.window = 6, .chunk = 1});
    cf_stream_item item;
    cr_assert(counter_wait(&counters[0], 1));
    cf_stream_stop(stream);
    counter_add(&counters[1], 1);
    EXPECT(CF_EEXHAUSTED, cf_stream_next(stream, CF_FOREVER, &item));
    EXPECT_EQ(source.given, 6);
    cf_stream_close(stream);
    cf_executor_destroy(ex);
    EXPECT_EQ(counter_get(&counters[0]), 1);
    shared_free(counters, 3 * sizeof *counters);
}

static cf_source_answer next_blocker_then_later(void *context, void *arg) {
    const cf_source_answer answer = next_blocker(context, arg);
    return answer == CF_SOURCE_END ? CF_SOURCE_LATER : answer;
}

/* What is under way is waited for, whatever the source says meanwhile. */
Test(stream_more, a_source_without_an_item_ends_no_wait) {
    NEEDS(runs_beside_caller);
    counter *counters = shared_alloc(3 * sizeof *counters);
    cf_executor *ex = create(2);
    blocker b = {.begun = &counters[0], .gate = &counters[1], .ran = &counters[2]};
    numbers source = {.end = 1};
    void *context[] = {&source, &b};
    cf_stream *stream = open_stream(ex, &blocker_task, next_blocker_then_later, context,
                                    (cf_stream_options){.window = 6, .chunk = 1});
    cf_stream_item item;
    for (int i = 0; i < 100; i++) {
        EXPECT(CF_ETIMEDOUT, cf_stream_next(stream, 0, &item));
    }
    counter_add(&counters[1], 1);
    EXPECT(CF_OK, cf_stream_next(stream, CF_FOREVER, &item));
    EXPECT_EQ(item.index, 0);
    EXPECT(CF_ELATER, cf_stream_next(stream, CF_FOREVER, &item));
    cf_stream_close(stream);
    cf_executor_destroy(ex);
    shared_free(counters, 3 * sizeof *counters);
}

/* ---- what is left ----------------------------------------------------------------------------- */

Test(stream_more, leaves_nothing_behind) {
    footprint before = footprint_now();
    for (int i = 0; i < 10; i++) {
        cf_executor *ex = create(2);
        numbers source = {.end = UINT64_MAX};
        cf_stream *stream =
            open_stream(ex, &small_task, next_number, &source, (cf_stream_options){.chunk = 5});
        cf_stream_item item;
        for (int n = 0; n < 7 * i; n++) {
            EXPECT(CF_OK, cf_stream_next(stream, LONG_WAIT, &item));
        }
        cf_stream_close(stream);
        cf_executor_destroy(ex);
    }
    footprint_check(before);
}
