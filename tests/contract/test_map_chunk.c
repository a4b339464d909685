/* Maps and streams obey a chunk that was chosen: its items run one after the other on one worker, even while
 * others idle. */
#include "rows.h"

#include <time.h>

TestSuite(map_chunk, .timeout = TEST_SECONDS);

/* Where an item was run, and as which of its worker's. */
typedef struct placed {
    uint32_t worker, number;
} placed;

typedef struct place_arg {
    _Atomic uint32_t *numbers; /* of the next item, for each worker */
    int64_t nap;
} place_arg;

static int run_place(const void *arg, void *result, cf_task_context *ctx) {
    const place_arg *p = arg;
    const unsigned worker = cf_task_worker(ctx);
    *(placed *)result = (placed){worker, atomic_fetch_add(&p->numbers[worker], 1)};
    if (p->nap > 0) {
        nanosleep(&(struct timespec){.tv_nsec = (long)p->nap}, NULL);
    }
    return 0;
}

static const cf_task place_task = {
    .run = run_place, .arg_size = sizeof(place_arg), .result_size = sizeof(placed)};

enum {
    PLACES = 600,
    WORKERS = 3
};

static void check_places(const placed *places, size_t chunk) {
    for (size_t i = 0; i < PLACES; i++) {
        if (i % chunk != 0) {
            EXPECT_EQ(places[i].worker, places[i - 1].worker);
            EXPECT_EQ(places[i].number, places[i - 1].number + 1);
        }
    }
}

/* The last ones take long, and others would have time. */
static void make_places(place_arg *args, _Atomic uint32_t *numbers) {
    for (size_t i = 0; i < PLACES; i++) {
        args[i] = (place_arg){numbers, i >= PLACES - 12 ? 2 * MILLISECOND : 0};
    }
}

static const size_t chosen[] = {1, 2, 7, 100, 256, PLACES, PLACES + 1, SIZE_MAX};

Test(map_chunk, obeys_a_chunk) {
    _Atomic uint32_t *numbers = shared_alloc(WORKERS * sizeof *numbers);
    place_arg args[PLACES];
    placed places[PLACES];
    make_places(args, numbers);
    cf_executor *ex = create(WORKERS);
    for (size_t k = 0; k < COUNT_OF(chosen); k++) {
        const cf_map_options options = {.chunk = chosen[k]};
        EXPECT(CF_OK, cf_executor_map(ex, &place_task, args, PLACES, places, &options));
        check_places(places, chosen[k]);
    }
    cf_executor_destroy(ex);
    shared_free((void *)numbers, WORKERS * sizeof *numbers);
}

typedef struct place_source {
    const place_arg *args;
    size_t given;
} place_source;

static cf_source_answer next_place(void *context, void *arg) {
    place_source *s = context;
    if (s->given == PLACES) {
        return CF_SOURCE_END;
    }
    *(place_arg *)arg = s->args[s->given++];
    return CF_SOURCE_ITEM;
}

static void place_stream(cf_executor *ex, const place_arg *args, cf_stream_options options) {
    placed places[PLACES];
    place_source source = {.args = args};
    cf_stream *stream = NULL;
    cf_stream_item item;
    EXPECT(CF_OK, cf_stream_open(ex, &place_task, next_place, &source, &options, &stream));
    for (size_t i = 0; i < PLACES; i++) {
        EXPECT(CF_OK, cf_stream_next(stream, LONG_WAIT, &item));
        places[item.index] = *(const placed *)item.result;
    }
    cf_stream_close(stream);
    check_places(places, options.chunk);
}

Test(map_chunk, a_stream_obeys_a_chunk) {
    _Atomic uint32_t *numbers = shared_alloc(WORKERS * sizeof *numbers);
    place_arg args[PLACES];
    make_places(args, numbers);
    cf_executor *ex = create(WORKERS);
    for (size_t k = 0; k < 6; k++) {
        for (int completed = 0; completed < 2; completed++) {
            place_stream(ex, args,
                         (cf_stream_options){.as_completed = completed, .chunk = chosen[k]});
        }
    }
    cf_executor_destroy(ex);
    shared_free((void *)numbers, WORKERS * sizeof *numbers);
}
