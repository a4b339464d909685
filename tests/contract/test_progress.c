/* How far a map or a stream is. */
#include "rows.h"

#include <errno.h>

TestSuite(progress, .timeout = TEST_SECONDS);

enum {
    N = 20000
};

typedef struct told {
    size_t done, calls, count;
    bool falls;
} told;

static void tell(void *context, size_t done, size_t count) {
    told *t = context;
    t->falls = t->falls || done <= t->done;
    t->done = done;
    t->count = count;
    t->calls++;
}

static told map_squares(cf_executor *ex, cf_map_options options, size_t count, cf_status wanted) {
    static uint64_t numbers[N], squares[N];
    told t = {0};
    options.progress = tell;
    options.progress_context = &t;
    for (size_t i = 0; i < count; i++) {
        numbers[i] = i;
    }
    EXPECT(wanted, cf_executor_map(ex, &square_task, numbers, count, squares, &options));
    cr_assert(!t.falls);
    return t;
}

Test(progress, of_a_map) {
    cf_executor *ex = create(2);
    for (size_t chunk = 0; chunk <= N; chunk = chunk * 9 + 1) {
        const told t = map_squares(ex, (cf_map_options){.chunk = chunk}, N, CF_OK);
        EXPECT_EQ(t.done, N);
        EXPECT_EQ(t.count, N);
        cr_assert(t.calls >= 1 && t.calls <= N);
        cr_assert(chunk == 0 || t.calls >= N / chunk);
    }
    EXPECT_EQ(map_squares(ex, (cf_map_options){0}, 0, CF_OK).calls, 0);
    EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
    cr_assert(map_squares(ex, (cf_map_options){0}, N, CF_ESHUTDOWN).done <
              N); /* most were never sent */
    cf_executor_destroy(ex);
}

/* An item that has failed has ended, too. */
Test(progress, of_a_map_that_fails) {
    int errors[100] = {0};
    told t = {0};
    cf_executor *ex = create(2);
    errors[7] = EIO;
    const cf_map_options options = {.chunk = 10, .progress = tell, .progress_context = &t};
    EXPECT(CF_ETASK, cf_executor_map(ex, &error_task, errors, COUNT_OF(errors), NULL, &options));
    EXPECT_EQ(t.done, COUNT_OF(errors));
    cf_executor_destroy(ex);
}

static cf_source_answer next_number(void *context, void *arg) {
    uint64_t *next = context;
    if (*next == N) {
        return CF_SOURCE_END;
    }
    *(uint64_t *)arg = (*next)++;
    return CF_SOURCE_ITEM;
}

Test(progress, of_a_stream) {
    const cf_stream_options options = {.window = 100};
    uint64_t next = 0;
    cf_stream *stream;
    cf_stream_item item;
    cf_stream_progress progress;
    cf_executor *ex = create(2);
    EXPECT(CF_OK, cf_stream_open(ex, &square_task, next_number, &next, &options, &stream));
    for (uint64_t i = 0; i < N; i++) {
        EXPECT(CF_OK, cf_stream_get_progress(stream, &progress));
        EXPECT_EQ(progress.taken, next);
        EXPECT_EQ(progress.handed_out, i);
        EXPECT(CF_OK, cf_stream_next(stream, CF_FOREVER, &item));
    }
    EXPECT(CF_EEXHAUSTED, cf_stream_next(stream, CF_FOREVER, &item));
    EXPECT(CF_OK, cf_stream_get_progress(stream, &progress));
    EXPECT_EQ(progress.taken, N);
    EXPECT_EQ(progress.handed_out, N);
    EXPECT(CF_EINVAL, cf_stream_get_progress(NULL, &progress));
    EXPECT(CF_EINVAL, cf_stream_get_progress(stream, NULL));
    cf_stream_close(stream);
    cf_executor_destroy(ex);
}
