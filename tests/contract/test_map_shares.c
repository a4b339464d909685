/* No worker idles while another has items of a map or stream that it has not begun, whether these take long
 * or wait behind a blocked one. */
#include "rows.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

TestSuite(map_shares, .timeout = TEST_SECONDS);

/* ---- nobody idles ----------------------------------------------------------------------------- */

enum {
    CHEAP = 20000,
    DEAR = 40,
    ALL = CHEAP + DEAR
};

/* Its work is a sleep, so that two workers need no two processors. */
static int run_nap(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    const int64_t start = now_ns(), nap = *(const int64_t *)arg;
    if (nap > 0) {
        nanosleep(&(struct timespec){.tv_nsec = (long)nap}, NULL);
        *(int64_t *)result = now_ns() - start;
    }
    return 0;
}

static const cf_task nap_task = {
    .name = "nap", .run = run_nap, .arg_size = sizeof(int64_t), .result_size = sizeof(int64_t)};

/* What the dear items took, and all of them together, by the clock on the wall. */
typedef struct times {
    int64_t dear_ns, all_ns;
} times;

static times time_of_map(cf_executor *ex, const int64_t *naps) {
    int64_t *took = calloc(ALL, sizeof *took);
    times t = {.all_ns = -now_ns()};
    EXPECT(CF_OK, cf_executor_map(ex, &nap_task, naps, ALL, took, NULL));
    t.all_ns += now_ns();
    for (size_t i = 0; i < ALL; i++) {
        t.dear_ns += took[i];
    }
    free(took);
    return t;
}

typedef struct nap_source {
    const int64_t *naps;
    size_t given;
} nap_source;

static cf_source_answer next_nap(void *context, void *arg) {
    nap_source *s = context;
    if (s->given == ALL) {
        return CF_SOURCE_END;
    }
    *(int64_t *)arg = s->naps[s->given++];
    return CF_SOURCE_ITEM;
}

static times time_of_stream(cf_executor *ex, const int64_t *naps, cf_stream_options options) {
    cf_stream *stream = NULL;
    cf_stream_item item;
    nap_source source = {.naps = naps};
    times t = {.all_ns = -now_ns()};
    EXPECT(CF_OK, cf_stream_open(ex, &nap_task, next_nap, &source, &options, &stream));
    for (size_t i = 0; i < ALL; i++) {
        EXPECT(CF_OK, cf_stream_next(stream, LONG_WAIT, &item));
        EXPECT_EQ(item.exception.status, CF_OK);
        t.dear_ns += *(const int64_t *)item.result;
    }
    t.all_ns += now_ns();
    EXPECT(CF_EEXHAUSTED, cf_stream_next(stream, 0, &item));
    cf_stream_close(stream);
    return t;
}

/* The dear items lie one behind the other, from `first` on. */
static void put_naps(int64_t *naps, size_t first) {
    memset(naps, 0, ALL * sizeof *naps);
    for (size_t i = first; i < first + DEAR; i++) {
        naps[i] = 4 * MILLISECOND;
    }
}

/* Two workers take half of what one takes, and not all of it. The best of a few times counts, as other
 * programs can only lengthen one. */
enum {
    TRIES = 4
};

static bool is_shared(times t, double *best) {
    const double part = (double)t.all_ns / (double)t.dear_ns;
    *best = part < *best ? part : *best;
    return *best < 0.72;
}

static void expect_shared_map(cf_executor *ex, size_t first) {
    int64_t *naps = malloc(ALL * sizeof *naps);
    put_naps(naps, first);
    double best = 9;
    for (int i = 0; i < TRIES && !is_shared(time_of_map(ex, naps), &best); i++) {}
    cr_assert(best < 0.72, "two workers took %.2f of what the items from %zu on took", best, first);
    free(naps);
}

Test(map_shares, dear_items_at_the_end) {
    NEEDS(runs_beside_caller);
    NOT_REMOTE(SENT_AHEAD);
    cf_executor *ex = create(2);
    expect_shared_map(ex, CHEAP);
    cf_executor_destroy(ex);
}

Test(map_shares, dear_items_anywhere) {
    NEEDS(runs_beside_caller);
    NOT_REMOTE(SENT_AHEAD);
    cf_executor *ex = create(2);
    expect_shared_map(ex, 0);
    expect_shared_map(ex, CHEAP / 2 + 1);
    cf_executor_destroy(ex);
}

static void expect_shared_stream(cf_stream_options options, size_t first) {
    cf_executor *ex = create(2);
    int64_t *naps = malloc(ALL * sizeof *naps);
    put_naps(naps, first);
    double best = 9;
    for (int i = 0; i < TRIES && !is_shared(time_of_stream(ex, naps, options), &best); i++) {}
    cr_assert(best < 0.72, "two workers took %.2f of what the items from %zu on took", best, first);
    free(naps);
    cf_executor_destroy(ex);
}

Test(map_shares, dear_items_at_the_end_of_a_stream) {
    NEEDS(runs_beside_caller);
    NOT_REMOTE(SENT_AHEAD);
    for (int k = 0; k < 4; k++) {
        expect_shared_stream(
            (cf_stream_options){.as_completed = k % 2, .size_hint = k / 2 ? ALL : 0}, CHEAP);
    }
}

Test(map_shares, dear_items_in_the_middle_of_a_stream) {
    NEEDS(runs_beside_caller);
    NOT_REMOTE(SENT_AHEAD);
    for (int k = 0; k < 2; k++) {
        expect_shared_stream((cf_stream_options){.as_completed = k % 2, .size_hint = ALL},
                             CHEAP / 2 + 1);
    }
}

/* ---- behind a blocked item --------------------------------------------------------------------- */

/* One item does not end before all others have: whoever runs it, those behind it are run by another. */
typedef struct awaited {
    counter *ran;
    uint32_t waits_for;
    uint32_t index;
} awaited;

static int run_awaited(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    const awaited *a = arg;
    const bool well = a->waits_for == 0 || counter_wait(a->ran, a->waits_for);
    *(uint32_t *)result = a->index;
    counter_add(a->ran, 1);
    return !well;
}

static const cf_task awaited_task = {
    .run = run_awaited, .arg_size = sizeof(awaited), .result_size = sizeof(uint32_t)};

enum {
    AWAITED = 5000
};

static void make_awaited(awaited *items, counter *ran, size_t which) {
    atomic_store(&ran->value, 0);
    for (uint32_t i = 0; i < AWAITED; i++) {
        items[i] = (awaited){ran, i == which ? AWAITED - 1 : 0, i};
    }
}

Test(map_shares, none_waits_for_a_blocked_item) {
    NEEDS(runs_beside_caller);
    NOT_REMOTE(SENT_AHEAD);
    uint64_t seed = test_seed("map_shares/none_waits_for_a_blocked_item");
    counter *ran = shared_alloc(sizeof *ran);
    awaited *items = malloc(AWAITED * sizeof *items);
    uint32_t *results = malloc(AWAITED * sizeof *results);
    cf_executor *ex = create(2);
    for (size_t round = 0; round < scaled(25); round++) {
        const size_t places[] = {0, AWAITED - 1, AWAITED / 2};
        make_awaited(items, ran, round < 3 ? places[round] : random_next(&seed) % AWAITED);
        EXPECT(CF_OK, cf_executor_map(ex, &awaited_task, items, AWAITED, results, NULL));
        for (uint32_t i = 0; i < AWAITED; i++) {
            EXPECT_EQ(results[i], i);
        }
        EXPECT_EQ(counter_get(ran), AWAITED);
    }
    cf_executor_destroy(ex);
    free(results);
    free(items);
    shared_free(ran, sizeof *ran);
}

typedef struct awaited_source {
    const awaited *items;
    size_t given;
} awaited_source;

static cf_source_answer next_awaited(void *context, void *arg) {
    awaited_source *s = context;
    if (s->given == AWAITED) {
        return CF_SOURCE_END;
    }
    *(awaited *)arg = s->items[s->given++];
    return CF_SOURCE_ITEM;
}

/* In the source's order those that wait to be handed out fill the window; as completed they do not. */
Test(map_shares, none_of_a_stream_waits_for_a_blocked_item) {
    NEEDS(runs_beside_caller);
    NOT_REMOTE(SENT_AHEAD);
    uint64_t seed = test_seed("map_shares/none_of_a_stream_waits_for_a_blocked_item");
    counter *ran = shared_alloc(sizeof *ran);
    awaited *items = malloc(AWAITED * sizeof *items);
    cf_executor *ex = create(2);
    for (size_t round = 0; round < scaled(20); round++) {
        const cf_stream_options options = {.as_completed = round % 2,
                                           .window = round % 2 ? 0 : AWAITED,
                                           .size_hint = round % 4 < 2 ? AWAITED : 0};
        make_awaited(items, ran, random_next(&seed) % AWAITED);
        awaited_source source = {.items = items};
        bool seen[AWAITED] = {false};
        cf_stream *stream = NULL;
        cf_stream_item item;
        EXPECT(CF_OK, cf_stream_open(ex, &awaited_task, next_awaited, &source, &options, &stream));
        for (size_t i = 0; i < AWAITED; i++) {
            EXPECT(CF_OK, cf_stream_next(stream, LONG_WAIT, &item));
            EXPECT_EQ(item.exception.status, CF_OK);
            EXPECT_EQ(*(const uint32_t *)item.result, item.index);
            cr_assert(options.as_completed ? !seen[item.index] : item.index == i);
            seen[item.index] = true;
        }
        cf_stream_close(stream);
    }
    cf_executor_destroy(ex);
    free(items);
    shared_free(ran, sizeof *ran);
}
