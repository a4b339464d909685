/* A stream that is closed or stopped, or whose executor is shut down, takes no more from its source. Items
 * that run end by themselves, and a stopped stream still hands out those that are done. */
#include "stream.h"

TestSuite(stream_end, .timeout = TEST_SECONDS);

/* ---- closing ---------------------------------------------------------------------------------- */

static cf_source_answer next_same_blocker(void *context, void *arg) {
    *(blocker *)arg = *(const blocker *)context;
    return CF_SOURCE_ITEM;
}

Test(stream_end, closing_cancels_what_has_not_begun) {
    NEEDS(runs_beside_caller);
    counter *counters = shared_alloc(3 * sizeof *counters);
    cf_executor *ex = create(2);
    blocker b = {.begun = &counters[0], .gate = &counters[1], .ran = &counters[2]};
    cf_stream *stream =
        open_stream(ex, &blocker_task, next_same_blocker, &b, (cf_stream_options){.window = 10});
    cr_assert(counter_wait(&counters[0], 2));
    cf_stream_item item;
    EXPECT(CF_ETIMEDOUT, cf_stream_next(stream, 0, &item));
    EXPECT(CF_ETIMEDOUT, cf_stream_next(stream, MILLISECOND, &item));
    cf_stream_close(stream);
    cf_stats stats;
    EXPECT(CF_OK, cf_executor_stats(ex, &stats));
    EXPECT_EQ(stats.cancelled, 8);
    counter_add(&counters[1], 1);
    EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
    EXPECT_EQ(counter_get(&counters[2]), 2);
    cf_executor_destroy(ex);
    shared_free(counters, 3 * sizeof *counters);
}

/* A task of its own executor may still run when the stream is closed, and ends by itself. */
Test(stream_end, closing_leaves_running_items_to_end) {
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

/* ---- shutdown --------------------------------------------------------------------------------- */

Test(stream_end, an_executor_that_is_shut_down_ends_it) {
    cf_executor *ex = create(2);
    numbers source = {.end = UINT64_MAX};
    cf_stream *stream =
        open_stream(ex, &mix_task, next_number, &source, (cf_stream_options){.window = 20});
    EXPECT(CF_OK, cf_executor_shutdown(ex, false, false));
    cf_stream_item item;
    cf_status status;
    uint64_t n = 0;
    for (; (status = cf_stream_next(stream, LONG_WAIT, &item)) == CF_OK; n++) {
        EXPECT_EQ(item.index, n);
        EXPECT_EQ(*(const uint64_t *)item.arg, n);
        if (n < 20) {
            check_mixed(&item);
        } else {
            EXPECT_EQ(item.exception.status, CF_ESHUTDOWN);
        }
    }
    EXPECT_EQ(status, CF_ESHUTDOWN);
    EXPECT_EQ(n, source.given); /* what was taken from the source is accounted for */
    EXPECT(CF_ESHUTDOWN, cf_stream_next(stream, LONG_WAIT, &item));
    cf_stream_close(stream);
    stream = (cf_stream *)&item;
    EXPECT(CF_ESHUTDOWN, cf_stream_open(ex, &mix_task, next_number, &source, NULL, &stream));
    cr_assert(stream == NULL);
    cf_executor_destroy(ex);
}

Test(stream_end, pending_items_of_a_cancelling_shutdown_are_cancelled) {
    NEEDS(runs_beside_caller);
    counter *counters = shared_alloc(3 * sizeof *counters);
    cf_executor *ex = create(1);
    blocker b = {.begun = &counters[0], .gate = &counters[1], .ran = &counters[2]};
    cf_stream *stream =
        open_stream(ex, &blocker_task, next_same_blocker, &b, (cf_stream_options){.window = 5});
    cr_assert(counter_wait(&counters[0], 1));
    EXPECT(CF_OK, cf_executor_shutdown(ex, false, true));
    counter_add(&counters[1], 1);
    cf_stream_item item;
    for (int i = 0; i < 5; i++) {
        EXPECT(CF_OK, cf_stream_next(stream, LONG_WAIT, &item));
        EXPECT_EQ(item.exception.status, i == 0 ? CF_OK : CF_ECANCELLED);
    }
    cf_stream_close(stream);
    cf_executor_destroy(ex);
    shared_free(counters, 3 * sizeof *counters);
}

/* ---- stopping --------------------------------------------------------------------------------- */

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
Test(stream_end, stopped_it_hands_out_what_is_done) {
    NEEDS(runs_beside_caller);
    NOT_REMOTE(SENT_AHEAD);
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
Test(stream_end, stopped_it_begins_nothing) {
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
