/* If its window does not fit into the arena or into max_pending, a stream waits for room and still hands out
 * every item. Closed, it leaves nothing behind. */
#include "stream.h"

TestSuite(stream_room, .timeout = TEST_SECONDS);

static const cf_task big_task = {
    .run = run_mix, .arg_size = 100000, .result_size = sizeof(uint64_t)};

Test(stream_room, an_arena_too_small_for_the_window_only_makes_it_wait) {
    cf_executor *ex =
        create_with((cf_pool_options){.max_workers = workers_of(2), .arena_limit = 2 << 20});
    for (size_t chunk = 1; chunk <= 9; chunk += 4) {
        numbers source = {.end = 300};
        cf_stream *stream = open_stream(ex, &big_task, next_number, &source,
                                        (cf_stream_options){.window = 1000, .chunk = chunk});
        cf_stream_item item;
        for (uint64_t i = 0; i < 300; i++) {
            EXPECT(CF_OK, cf_stream_next(stream, LONG_WAIT, &item));
            EXPECT_EQ(item.index, i);
            check_mixed(&item);
        }
        EXPECT(CF_EEXHAUSTED, cf_stream_next(stream, LONG_WAIT, &item));
        cf_stream_close(stream);
    }
    cf_task too_big = big_task;
    too_big.arg_size = 8 << 20;
    numbers source = {.end = 3};
    cf_stream *stream;
    EXPECT(CF_ENOMEM, cf_stream_open(ex, &too_big, next_number, &source, NULL, &stream));
    EXPECT_EQ(source.given, 0); /* nothing is taken that cannot be carried */
    cf_executor_destroy(ex);
}

static int run_square(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    uint64_t n = *(const uint64_t *)arg;
    *(uint64_t *)result = n * n;
    return 0;
}

static const cf_task small_task = {
    .run = run_square, .arg_size = sizeof(uint64_t), .result_size = sizeof(uint64_t)};

Test(stream_room, waits_for_room_also_where_submit_is_refused) {
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
Test(stream_room, big_results_in_the_least_arena) {
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

Test(stream_room, leaves_nothing_behind) {
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
