/* A stream hands out each item of its source once, with its result, in the source's order or as completed,
 * whatever its window and chunk, beside other streams and inside a task. */
#include "stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(stream, .timeout = TEST_SECONDS);

static void run_through(cf_executor *ex, uint64_t count, cf_stream_options options) {
    numbers source = {.end = count, .window = options.window};
    unsigned char *seen = calloc(count + 1, 1);
    cf_stream *stream = open_stream(ex, &mix_task, next_number, &source, options);
    cf_stream_item item;
    for (; source.handed_out < count; source.handed_out++) {
        EXPECT(CF_OK, cf_stream_next(stream, LONG_WAIT, &item));
        cr_assert(item.index < count && !seen[item.index], "item %llu twice",
                  (unsigned long long)item.index);
        seen[item.index] = 1;
        cr_assert(options.as_completed || item.index == source.handed_out);
        check_mixed(&item);
    }
    for (int i = 0; i < 3; i++) {
        EXPECT(CF_EEXHAUSTED, cf_stream_next(stream, 0, &item));
    }
    cf_stream_close(stream);
    free(seen);
}

Test(stream, every_order_chunk_window_and_count) {
    static const size_t chunks[] = {0, 1, 3, 7, 1000}, windows[] = {0, 1, 2, 10, 100000};
    static const uint64_t counts[] = {0, 1, 2, 97, 20000};
    cf_executor *ex = create(3);
    for (size_t i = 0; i < COUNT_OF(chunks) * COUNT_OF(windows) * COUNT_OF(counts) * 4; i++) {
        size_t rest = i / 4;
        uint64_t count = counts[rest % COUNT_OF(counts)];
        rest /= COUNT_OF(counts);
        size_t window = windows[rest % COUNT_OF(windows)];
        if (window > 0 && window < 10 && count > 100) {
            continue; /* each item is waited for: slow, and seen with the smaller counts */
        }
        run_through(ex, count,
                    (cf_stream_options){.as_completed = i % 2 != 0,
                                        .window = window,
                                        .chunk = chunks[rest / COUNT_OF(windows)],
                                        .size_hint = i % 4 >= 2 ? count : 0});
    }
    cf_executor_destroy(ex);
}

static int run_nothing(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    return arg != NULL || result != NULL;
}

static cf_source_answer ten_times(void *context, void *arg) {
    cr_assert(arg == NULL);
    return (*(int *)context)++ < 10 ? CF_SOURCE_ITEM : CF_SOURCE_END;
}

Test(stream, neither_arguments_nor_results) {
    cf_executor *ex = create(2);
    const cf_task nothing = {.run = run_nothing};
    int times = 0, n = 0;
    cf_stream *stream = open_stream(ex, &nothing, ten_times, &times, (cf_stream_options){0});
    cf_stream_item item;
    while (cf_stream_next(stream, LONG_WAIT, &item) == CF_OK) {
        EXPECT_EQ(item.exception.status, CF_OK);
        cr_assert(item.arg == NULL && item.result == NULL && item.result_size == 0);
        n++;
    }
    EXPECT_EQ(n, 10);
    EXPECT_EQ(times, 11); /* not asked again after its end */
    cf_stream_close(stream);
    cf_executor_destroy(ex);
}

/* ---- beside others ---------------------------------------------------------------------------- */

Test(stream, two_of_one_executor_in_turn) {
    cf_executor *ex = create(2);
    numbers sources[2] = {{.end = 1000}, {.end = 1000}};
    cf_stream *streams[2];
    for (int i = 0; i < 2; i++) {
        streams[i] = open_stream(ex, &mix_task, next_number, &sources[i],
                                 (cf_stream_options){.as_completed = i == 1, .chunk = 3});
    }
    cf_stream_item item;
    for (int n = 0; n < 1000; n++) {
        for (int i = 0; i < 2; i++) {
            EXPECT(CF_OK, cf_stream_next(streams[i], LONG_WAIT, &item));
            check_mixed(&item);
        }
    }
    cf_stream_close(streams[0]);
    cf_stream_close(streams[1]);
    cf_executor_destroy(ex);
}

static cf_executor *source_executor;

/* A task that runs a stream on its own executor. */
static int run_inner_stream(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg, (void)ctx;
    numbers source = {.end = 100};
    cf_stream *stream;
    cf_stream_item item;
    cf_status status =
        cf_stream_open(source_executor, &mix_task, next_number, &source, NULL, &stream);
    while (status == CF_OK && (status = cf_stream_next(stream, CF_FOREVER, &item)) == CF_OK) {
        *(uint64_t *)result += item.exception.status == CF_OK;
    }
    cf_stream_close(stream);
    return status == CF_EEXHAUSTED ? 0 : (int)status;
}

Test(stream, inside_a_task_of_its_executor) {
    NEEDS(shares_memory);
    const cf_task task = {.run = run_inner_stream, .result_size = 8};
    cf_executor *ex = source_executor = create(1);
    cf_future *futures[5];
    for (size_t i = 0; i < COUNT_OF(futures); i++) {
        futures[i] = submit(ex, &task, NULL);
    }
    for (size_t i = 0; i < COUNT_OF(futures); i++) {
        EXPECT_EQ(take(futures[i]), 100);
    }
    cf_executor_destroy(ex);
}

/* ---- the rest --------------------------------------------------------------------------------- */

Test(stream, strings_of_the_task_may_go_away) {
    cf_executor *ex = create(2);
    char name[] = "passing", type[] = "thing";
    cf_task task = mix_task;
    task.name = name;
    task.result_type = type;
    numbers source = {.end = 500};
    cf_stream *stream =
        open_stream(ex, &task, next_number, &source, (cf_stream_options){.window = 3});
    memset(name, '?', sizeof name - 1);
    memset(type, '?', sizeof type - 1);
    memset(&task, 0, sizeof task);
    cf_stream_item item;
    for (uint64_t i = 0; i < 500; i++) {
        EXPECT(CF_OK, cf_stream_next(stream, LONG_WAIT, &item));
        check_mixed(&item);
    }
    cf_stream_close(stream);
    cf_executor_destroy(ex);
}

static void expect_description(const cf_stream *stream, const char *order, const char *tasks) {
    char wanted[100], text[100], cut[12];
    snprintf(wanted, sizeof wanted, "<cf_stream at %p, %s, %s>", (const void *)stream, order,
             tasks);
    cr_assert(cf_stream_describe(stream, text, sizeof text) == text);
    cr_assert_str_eq(text, wanted);
    cf_stream_describe(stream, cut, sizeof cut);
    cr_assert(strlen(cut) == sizeof cut - 1 && strncmp(cut, wanted, sizeof cut - 1) == 0);
}

Test(stream, describes_itself) {
    cf_executor *ex = create(2);
    numbers source = {.end = 3};
    cf_stream *stream =
        open_stream(ex, &mix_task, next_number, &source, (cf_stream_options){.size_hint = 5});
    expect_description(stream, "ordered", "5 tasks");
    cf_stream_close(stream);
    source = (numbers){.end = 1};
    stream =
        open_stream(ex, &mix_task, next_number, &source, (cf_stream_options){.as_completed = true});
    expect_description(stream, "as completed", "1 task");
    cf_stream_close(stream);
    cf_executor_destroy(ex);
}

Test(stream, invalid) {
    cf_executor *ex = create(2);
    numbers source = {.end = 1};
    cf_stream *stream = NULL;
    cf_task none = mix_task, big = mix_task;
    none.run = NULL;
    big.result_size = CF_PAYLOAD_MAX + 1;
    cf_stream_options too_often = {.retries = CF_RETRIES_MAX + 1};
    EXPECT(CF_EINVAL, cf_stream_open(NULL, &mix_task, next_number, &source, NULL, &stream));
    EXPECT(CF_EINVAL, cf_stream_open(ex, NULL, next_number, &source, NULL, &stream));
    EXPECT(CF_EINVAL, cf_stream_open(ex, &mix_task, NULL, &source, NULL, &stream));
    EXPECT(CF_EINVAL, cf_stream_open(ex, &mix_task, next_number, &source, NULL, NULL));
    EXPECT(CF_EINVAL, cf_stream_open(ex, &none, next_number, &source, NULL, &stream));
    EXPECT(CF_EINVAL, cf_stream_open(ex, &big, next_number, &source, NULL, &stream));
    EXPECT(CF_EINVAL, cf_stream_open(ex, &mix_task, next_number, &source, &too_often, &stream));
    cr_assert(stream == NULL);
    EXPECT_EQ(source.given, 0);
    EXPECT(CF_OK, cf_stream_open(ex, &mix_task, next_number, &source, NULL, &stream));
    cf_stream_item item;
    EXPECT(CF_EINVAL, cf_stream_next(NULL, 0, &item));
    EXPECT(CF_EINVAL, cf_stream_next(stream, 0, NULL));
    cf_stream_close(stream);
    cf_stream_close(NULL);
    cf_executor_destroy(ex);
}

static int use_in_child(void *context) {
    cf_stream_item item;
    HOST_CHECK(cf_stream_next(context, 0, &item) == CF_EFORKED);
    cf_stream_close(context);
    return 0;
}

Test(stream, after_fork) {
    cf_executor *ex = create(2);
    numbers source = {.end = 10};
    cf_stream *stream = open_stream(ex, &mix_task, next_number, &source, (cf_stream_options){0});
    EXPECT_HOST_OK(host_run(use_in_child, stream));
    cf_stream_item item;
    for (int i = 0; i < 10; i++) {
        EXPECT(CF_OK, cf_stream_next(stream, LONG_WAIT, &item));
        check_mixed(&item);
    }
    cf_stream_close(stream);
    cf_executor_destroy(ex);
}
