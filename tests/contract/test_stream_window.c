/* A stream takes as much from its source as its window holds, never more. It keeps no item back for the sake
 * of a fuller chunk. */
#include "rows.h"

#include <stdlib.h>
#include <string.h>

TestSuite(stream_window, .timeout = TEST_SECONDS);

/* Gives 0, 1, 2 ..., as far as they have come, and keeps the most that were under way. */
typedef struct source {
    uint64_t given, come, end;
    uint64_t handed_out; /* written by the test */
    uint64_t most;
    uint64_t asked;
    counter *gate; /* the items wait for it; NULL = they do not */
} source;

typedef struct item {
    uint64_t number;
    counter *gate;
} item;

static cf_source_answer next_item(void *context, void *arg) {
    source *s = context;
    s->asked++;
    if (s->given == s->end) {
        return CF_SOURCE_END;
    }
    if (s->given == s->come) {
        return CF_SOURCE_LATER;
    }
    *(item *)arg = (item){s->given++, s->gate};
    const uint64_t under_way = s->given - s->handed_out;
    s->most = under_way > s->most ? under_way : s->most;
    return CF_SOURCE_ITEM;
}

static int run_item(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    const item *i = arg;
    *(uint64_t *)result = i->number * 3;
    return i->gate && !counter_wait(i->gate, 1);
}

static const cf_task item_task = {
    .run = run_item, .arg_size = sizeof(item), .result_size = sizeof(uint64_t)};

static cf_stream *open_stream(cf_executor *ex, source *s, cf_stream_options options) {
    cf_stream *stream = NULL;
    EXPECT(CF_OK, cf_stream_open(ex, &item_task, next_item, s, &options, &stream));
    return stream;
}

/* The call for the next item counts as made only when it returns: until then it is under way. */
static void take_item(cf_stream *stream, source *s, bool ordered) {
    cf_stream_item i;
    EXPECT(CF_OK, cf_stream_next(stream, LONG_WAIT, &i));
    EXPECT_EQ(i.exception.status, CF_OK);
    EXPECT_EQ(*(const uint64_t *)i.result, i.index * 3);
    EXPECT_EQ(((const item *)i.arg)->number, i.index);
    cr_assert(!ordered || i.index == s->handed_out);
    s->handed_out++;
}

/* ---- a window that was chosen ------------------------------------------------------------------ */

Test(stream_window, that_was_given_is_filled_and_no_more) {
    static const size_t windows[] = {1, 2, 3, 16, 100, 1000}, chunks[] = {0, 1, 7, 16, 5000};
    counter *gate = shared_alloc(sizeof *gate);
    cf_executor *ex = create(2);
    for (size_t i = 0; i < COUNT_OF(windows) * COUNT_OF(chunks) * 4; i++) {
        const size_t window = windows[i / 4 % COUNT_OF(windows)];
        const cf_stream_options options = {.window = window,
                                           .chunk = chunks[i / 4 / COUNT_OF(windows)],
                                           .size_hint = i % 2 ? UINT64_MAX : 0,
                                           .as_completed = i / 2 % 2};
        atomic_store(&gate->value, !row()->runs_beside_caller);
        source s = {.come = UINT64_MAX, .end = 3 * window + 50, .gate = gate};
        cf_stream *stream = open_stream(ex, &s, options);
        EXPECT_EQ(s.given, window); /* full, and nothing was handed out */
        EXPECT_EQ(s.most, window);
        if (row()->runs_beside_caller) {
            cf_stream_item none;
            EXPECT(CF_ETIMEDOUT, cf_stream_next(stream, 0, &none));
            EXPECT_EQ(s.given, window);
        }
        counter_add(gate, 1);
        while (s.handed_out < s.end) {
            take_item(stream, &s, !options.as_completed);
            cr_assert(s.most <= window, "%zu under way, window %zu", (size_t)s.most, window);
        }
        EXPECT(CF_EEXHAUSTED, cf_stream_next(stream, 0, &(cf_stream_item){0}));
        cf_stream_close(stream);
    }
    cf_executor_destroy(ex);
    shared_free(gate, sizeof *gate);
}

/* ---- a window that the library chooses ---------------------------------------------------------- */

/* 16 chunks a worker. */
static void check_default(cf_executor *ex, unsigned workers, cf_stream_options options,
                          size_t chunk, uint64_t count) {
    source s = {.come = UINT64_MAX, .end = count};
    cf_stream *stream = open_stream(ex, &s, options);
    while (s.handed_out < count) {
        take_item(stream, &s, !options.as_completed);
    }
    cr_assert(s.most <= (uint64_t)16 * workers * chunk,
              "%zu were under way with %u workers and chunks of %zu", (size_t)s.most, workers,
              chunk);
    cf_stream_close(stream);
}

Test(stream_window, that_is_chosen_is_sixteen_chunks_a_worker) {
    for (unsigned workers = 1; workers <= 3; workers++) {
        cf_executor *ex = create(workers);
        for (size_t chunk = 1; chunk < 100; chunk += 13) {
            for (int k = 0; k < 4; k++) {
                const cf_stream_options options = {
                    .as_completed = k % 2, .chunk = chunk, .size_hint = k / 2 ? 6000 : 0};
                check_default(ex, workers_of(workers), options, chunk, 6000);
            }
        }
        cf_executor_destroy(ex);
    }
}

/* While nothing comes back no more is taken. */
Test(stream_window, does_not_grow_while_all_is_blocked) {
    NEEDS(runs_beside_caller);
    counter *gates = shared_alloc(4 * sizeof *gates); /* who passes one is not held by the next */
    cf_executor *ex = create(2);
    for (int k = 0; k < 4; k++) {
        const size_t chunk = k / 2 ? 5 : 0;
        source s = {.come = UINT64_MAX, .end = UINT64_MAX, .gate = &gates[k]};
        cf_stream *stream =
            open_stream(ex, &s, (cf_stream_options){.as_completed = k % 2, .chunk = chunk});
        const uint64_t given = s.given;
        cr_assert(chunk ? given == 2 * 16 * chunk : given >= 2 && given <= 2 * 16);
        for (int i = 0; i < 10; i++) {
            EXPECT(CF_ETIMEDOUT, cf_stream_next(stream, MILLISECOND, &(cf_stream_item){0}));
        }
        EXPECT_EQ(s.given, given);
        counter_add(&gates[k], 1);
        cf_stream_close(stream);
    }
    cf_executor_destroy(ex);
    shared_free(gates, 4 * sizeof *gates);
}

/* ---- a source that has nothing right now --------------------------------------------------------- */

static const cf_stream_options shapes[] = {
    {.size_hint = 1000000},
    {.size_hint = 1000000, .as_completed = true},
    {.chunk = 100},
    {.chunk = 100, .as_completed = true},
    {.size_hint = 1000000, .window = 50},
    {.chunk = 1000, .window = 7, .as_completed = true},
    {.chunk = 0},
};

/* A dialogue: the next one comes when the answer to the last one is there. Who waited for a full chunk
 * would wait for ever. */
Test(stream_window, is_no_reason_to_keep_an_item_back) {
    enum {
        N = 300
    };
    cf_executor *ex = create(2);
    for (size_t k = 0; k < COUNT_OF(shapes); k++) {
        source s = {.end = N};
        cf_stream *stream = open_stream(ex, &s, shapes[k]);
        while (s.handed_out < N) {
            EXPECT(CF_ELATER, cf_stream_next(stream, CF_FOREVER, &(cf_stream_item){0}));
            s.come++;
            take_item(stream, &s, true);
        }
        EXPECT(CF_EEXHAUSTED, cf_stream_next(stream, CF_FOREVER, &(cf_stream_item){0}));
        cf_stream_close(stream);
    }
    cf_executor_destroy(ex);
}

/* They come in spurts, a few or thousands, when they like: also while some are under way. */
Test(stream_window, takes_spurts_as_they_come) {
    uint64_t seed = test_seed("stream_window/takes_spurts_as_they_come");
    cf_executor *ex = create(2);
    for (size_t k = 0; k < 2 * COUNT_OF(shapes); k++) {
        const cf_stream_options options = shapes[k / 2];
        source s = {.end = 5000 + random_next(&seed) % 5000};
        bool *seen = calloc(s.end, sizeof *seen);
        cf_stream *stream = open_stream(ex, &s, options);
        while (s.handed_out < s.end) {
            cf_stream_item i;
            const cf_status status = cf_stream_next(stream, k % 2 ? LONG_WAIT : 0, &i);
            if (status == CF_OK) {
                cr_assert(i.index < s.come && !seen[i.index]);
                cr_assert(options.as_completed || i.index == s.handed_out);
                EXPECT_EQ(*(const uint64_t *)i.result, i.index * 3);
                seen[i.index] = true;
                s.handed_out++;
            } else {
                EXPECT(k % 2 || status == CF_ELATER ? CF_ELATER : CF_ETIMEDOUT, status);
            }
            if (status == CF_ELATER) { /* none is under way: all that have come were handed out */
                EXPECT_EQ(s.handed_out, s.come);
            }
            if (status == CF_ELATER || random_next(&seed) % 50 == 0) {
                const uint64_t more = 1 + random_next(&seed) % (random_next(&seed) % 4 ? 5 : 2000);
                s.come = s.come + more < s.end ? s.come + more : s.end;
            }
        }
        cr_assert(options.window == 0 || s.most <= options.window);
        EXPECT(CF_EEXHAUSTED, cf_stream_next(stream, CF_FOREVER, &(cf_stream_item){0}));
        cf_stream_close(stream);
        free(seen);
    }
    cf_executor_destroy(ex);
}
