/* Who runs the items of a map or stream, and when: nobody idles while another has items that it has not
 * begun, a chunk that was chosen is obeyed, and the dearest items come first where costs are told. */
#include "rows.h"

#include <math.h>
#include <pthread.h>
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
    cf_executor *ex = create(2);
    expect_shared_map(ex, CHEAP);
    cf_executor_destroy(ex);
}

Test(map_shares, dear_items_anywhere) {
    NEEDS(runs_beside_caller);
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
    for (int k = 0; k < 4; k++) {
        expect_shared_stream(
            (cf_stream_options){.as_completed = k % 2, .size_hint = k / 2 ? ALL : 0}, CHEAP);
    }
}

Test(map_shares, dear_items_in_the_middle_of_a_stream) {
    NEEDS(runs_beside_caller);
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

/* ---- a chunk that was chosen ------------------------------------------------------------------- */

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

Test(map_shares, obeys_a_chunk) {
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

Test(map_shares, a_stream_obeys_a_chunk) {
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

/* ---- the dearest first ------------------------------------------------------------------------- */

enum {
    COSTED = 1500
};

typedef struct costed {
    counter *line;
    double cost;
    uint32_t index;
    int error;
} costed;

/* Its place in the line. */
static int run_costed(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    const costed *c = arg;
    *(uint32_t *)result = atomic_fetch_add(&c->line->value, 1) + 1;
    return c->error;
}

static const cf_task costed_task = {
    .run = run_costed, .arg_size = sizeof(costed), .result_size = sizeof(uint32_t)};

typedef struct asked {
    pthread_t by;
    uint32_t times[COSTED];
    uint32_t elsewhere;
} asked;

static double cost_of(void *context, const void *arg) {
    asked *a = context;
    costed c;
    memcpy(&c, arg, sizeof c);
    a->times[c.index]++;
    a->elsewhere += !pthread_equal(a->by, pthread_self());
    return c.cost;
}

static void map_costed(cf_executor *ex, costed *args, uint32_t *places, cf_map_options options,
                       cf_status expected) {
    asked a = {.by = pthread_self()};
    options.cost = cost_of;
    options.cost_context = &a;
    atomic_store(&args[0].line->value, 0);
    memset(places, 0xA5, COSTED * sizeof *places);
    EXPECT(expected, cf_executor_map(ex, &costed_task, args, COSTED, places, &options));
    EXPECT_EQ(counter_get(args[0].line), COSTED);
    EXPECT_EQ(a.elsewhere, 0);
    for (size_t i = 0; i < COSTED; i++) {
        EXPECT_EQ(a.times[i], 1);
    }
}

static double random_cost(uint64_t *seed, bool odd_ones) {
    static const double odd[] = {0.0, -0.0, INFINITY, -INFINITY, NAN, -1e308, 1e308, 5e-324};
    const uint64_t r = random_next(seed);
    return odd_ones && r % 3 == 0 ? odd[r / 3 % COUNT_OF(odd)] : (double)(r % 300) - 50;
}

static void make_costed(costed *args, counter *line, uint64_t *seed, bool odd_ones) {
    for (uint32_t i = 0; i < COSTED; i++) {
        args[i] = (costed){.line = line, .cost = random_cost(seed, odd_ones), .index = i};
    }
}

/* With one worker it can be seen who began before whom. What a NaN costs nobody knows. */
static void check_order(const costed *args, const uint32_t *places) {
    const costed *by_place[COSTED] = {NULL};
    for (size_t i = 0; i < COSTED; i++) {
        cr_assert(places[i] >= 1 && places[i] <= COSTED && !by_place[places[i] - 1]);
        by_place[places[i] - 1] = &args[i];
    }
    const costed *before = NULL;
    for (size_t i = 0; i < COSTED; i++) {
        const costed *c = by_place[i];
        if (!isnan(c->cost)) {
            cr_assert(!before || before->cost > c->cost ||
                          (before->cost == c->cost && before->index < c->index),
                      "item %u of cost %g begins before item %u of cost %g", before->index,
                      before->cost, c->index, c->cost);
            before = c;
        }
    }
}

Test(map_shares, begins_the_dearest_first) {
    static const size_t chunks[] = {0, 1, 7, COSTED};
    uint64_t seed = test_seed("map_shares/begins_the_dearest_first");
    counter *line = shared_alloc(sizeof *line);
    costed args[COSTED];
    uint32_t places[COSTED];
    cf_executor *ex = create(1);
    for (size_t k = 0; k < 4 * COUNT_OF(chunks); k++) {
        make_costed(args, line, &seed, k % 2);
        if (k / 2 % 2) { /* all the same: then in the array's order */
            for (size_t i = 0; i < COSTED; i++) {
                args[i].cost = args[0].cost;
            }
        }
        map_costed(ex, args, places, (cf_map_options){.chunk = chunks[k / 4]}, CF_OK);
        check_order(args, places);
    }
    cf_executor_destroy(ex);
    shared_free(line, sizeof *line);
}

Test(map_shares, costs_leave_the_order_of_answers_alone) {
    uint64_t seed = test_seed("map_shares/costs_leave_the_order_of_answers_alone");
    counter *line = shared_alloc(sizeof *line);
    costed args[COSTED];
    uint32_t places[COSTED];
    cf_exception why[COSTED];
    cf_executor *ex = create(3);
    for (int round = 0; round < 20; round++) {
        make_costed(args, line, &seed, round % 2);
        bool taken[COSTED + 1] = {false};
        for (size_t i = 0; i < COSTED; i++) {
            args[i].error = random_next(&seed) % 10 ? 0 : 1 + (int)i;
        }
        args[5].error = 6;
        memset(why, 0xA5, sizeof why);
        const cf_map_options options = {.chunk = round % 3 ? 0 : 10, .exceptions = why};
        map_costed(ex, args, places, options, CF_ETASK);
        for (size_t i = 0; i < COSTED; i++) {
            EXPECT_EQ(why[i].status, args[i].error ? CF_ETASK : CF_OK);
            EXPECT_EQ(why[i].task_error, args[i].error);
            cr_assert((places[i] == 0) == (args[i].error != 0));
            cr_assert(places[i] == 0 || !taken[places[i]]);
            taken[places[i]] = true;
        }
    }
    cf_executor_destroy(ex);
    shared_free(line, sizeof *line);
}

/* Which is the first by the array, not the first that was run. */
typedef struct ending {
    double cost;
    int error;
    int hangs;
} ending;

static int run_ending(const void *arg, void *result, cf_task_context *ctx) {
    (void)result;
    const ending *e = arg;
    while (e->hangs && !cf_task_cancelled(ctx)) {}
    return e->error;
}

static double ending_cost(void *context, const void *arg) {
    (void)context;
    return ((const ending *)arg)->cost;
}

static void first_failure(cf_executor *ex, size_t hangs, size_t fails, double slope, size_t chunk,
                          bool wants_exceptions) {
    enum {
        N = 200
    };
    static const cf_task task = {.run = run_ending, .arg_size = sizeof(ending)};
    ending args[N] = {{0}};
    cf_exception why[N];
    for (size_t i = 0; i < N; i++) {
        args[i].cost = slope * (double)i;
    }
    args[hangs].hangs = 1;
    args[fails].error = 3;
    const cf_map_options options = {.cost = ending_cost,
                                    .chunk = chunk,
                                    .timeout_ns = 50 * MILLISECOND,
                                    .exceptions = wants_exceptions ? why : NULL};
    const cf_status status = cf_executor_map(ex, &task, args, N, NULL, &options);
    EXPECT(hangs < fails ? CF_EDEADLINE : CF_ETASK, status);
    for (size_t i = 0; wants_exceptions && i < N; i++) {
        EXPECT_EQ(why[i].status, i == hangs ? CF_EDEADLINE : i == fails ? CF_ETASK : CF_OK);
    }
}

Test(map_shares, the_first_failure_is_the_arrays) {
    cf_executor *ex = create(2);
    for (int k = 0; k < 8; k++) {
        const size_t a = k % 2 ? 20 : 150, b = k % 2 ? 150 : 20;
        first_failure(ex, a, b, k / 2 % 2 ? 1 : -1, k / 4 ? 0 : 40, k % 3);
    }
    cf_executor_destroy(ex);
}

static double no_cost(void *context, const void *arg) {
    (void)arg;
    return (double)++*(size_t *)context;
}

static int run_count(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    *(unsigned char *)result = arg == NULL;
    return 0;
}

Test(map_shares, costs_of_few_and_of_nothing) {
    static const cf_task count_task = {.run = run_count, .result_size = 1};
    cf_executor *ex = create(2);
    for (size_t n = 0; n < 4; n++) {
        uint64_t args[4] = {2, 3, 4, 5}, results[4] = {0};
        unsigned char ones[4] = {0};
        size_t calls = 0;
        const cf_map_options options = {.cost = no_cost, .cost_context = &calls};
        EXPECT(CF_OK,
               cf_executor_map(ex, &square_task, n ? args : NULL, n, n ? results : NULL, &options));
        cr_assert(calls == n || (n == 1 && calls == 0)); /* one alone has no order */
        EXPECT(CF_OK, cf_executor_map(ex, &count_task, NULL, n, n ? ones : NULL, &options));
        for (size_t i = 0; i < 4; i++) {
            EXPECT_EQ(results[i], i < n ? args[i] * args[i] : 0);
            EXPECT_EQ(ones[i], i < n);
        }
    }
    cf_executor_destroy(ex);
}
