/* A source is asked for no more than a window of items. If it has none yet, all items so far are handed out,
 * and the stream goes on when more have come. */
#include "stream.h"

TestSuite(stream_source, .timeout = TEST_SECONDS);

Test(stream_source, an_endless_source_is_asked_for_a_window_only) {
    cf_executor *ex = create(2);
    for (size_t chunk = 1; chunk <= 16; chunk *= 4) {
        numbers source = {.end = UINT64_MAX, .window = 16};
        cf_stream *stream = open_stream(ex, &mix_task, next_number, &source,
                                        (cf_stream_options){.window = 16, .chunk = chunk});
        EXPECT_EQ(source.given, 16);
        cf_stream_item item;
        for (; source.handed_out < 1000; source.handed_out++) {
            EXPECT(CF_OK, cf_stream_next(stream, LONG_WAIT, &item));
            check_mixed(&item);
        }
        cf_stream_close(stream);
        cr_assert(source.given <= 1000 + 16);
    }
    cf_executor_destroy(ex);
}

static cf_executor *source_executor;

static cf_source_answer computed_number(void *context, void *arg) {
    numbers *n = context;
    if (n->given == n->end) {
        return CF_SOURCE_END;
    }
    uint64_t value = n->given++;
    *(uint64_t *)arg = take(submit(source_executor, &square_task, &value));
    return CF_SOURCE_ITEM;
}

Test(stream_source, the_source_may_use_the_same_executor) {
    cf_executor *ex = source_executor = create(2);
    numbers source = {.end = 200};
    cf_stream *stream = open_stream(ex, &mix_task, computed_number, &source,
                                    (cf_stream_options){.window = 30, .chunk = 4});
    cf_stream_item item;
    for (uint64_t i = 0; i < 200; i++) {
        EXPECT(CF_OK, cf_stream_next(stream, LONG_WAIT, &item));
        EXPECT_EQ(*(const uint64_t *)item.result, mixed(i * i));
    }
    EXPECT(CF_EEXHAUSTED, cf_stream_next(stream, LONG_WAIT, &item));
    cf_stream_close(stream);
    cf_executor_destroy(ex);
}

/* A wait that ran out has lost nothing. */
Test(stream_source, goes_on_after_a_timeout) {
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
Test(stream_source, a_source_may_have_nothing_yet) {
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

static cf_source_answer next_blocker_then_later(void *context, void *arg) {
    const cf_source_answer answer = next_blocker(context, arg);
    return answer == CF_SOURCE_END ? CF_SOURCE_LATER : answer;
}

/* What is under way is waited for, whatever the source says meanwhile. */
Test(stream_source, a_source_without_an_item_ends_no_wait) {
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
