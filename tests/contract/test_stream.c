/* A map over what a source gives, bounded and lazy, in either order. */
#include "rows.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(stream, .timeout = TEST_SECONDS);

/* ---- sources and tasks ----------------------------------------------------------------------- */

/* Gives 0, 1, 2 ... and checks at each that the window holds. */
typedef struct numbers {
    uint64_t given, end;
    uint64_t handed_out; /* written by the test */
    uint64_t window;     /* 0 = do not check */
} numbers;

static cf_source_answer next_number(void *context, void *arg) {
    numbers *n = context;
    cr_assert(n->window == 0 || n->given - n->handed_out < n->window,
              "%llu given, %llu handed out, window %llu", (unsigned long long)n->given,
              (unsigned long long)n->handed_out, (unsigned long long)n->window);
    cr_assert(*(uint64_t *)arg == 0, "the argument is not zeroed");
    if (n->given == n->end) {
        return CF_SOURCE_END;
    }
    *(uint64_t *)arg = n->given++;
    return CF_SOURCE_ITEM;
}

static uint64_t mixed(uint64_t n) {
    n = (n ^ n >> 31) * UINT64_C(0x9e3779b97f4a7c15);
    return n ^ n >> 29;
}

static int run_mix(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    *(uint64_t *)result = mixed(*(const uint64_t *)arg);
    return 0;
}

static const cf_task mix_task = {
    .name = "mix", .run = run_mix, .arg_size = sizeof(uint64_t), .result_size = sizeof(uint64_t)};

static cf_stream *open_stream(cf_executor *ex, const cf_task *task, cf_source_fn *source,
                              void *context, cf_stream_options options) {
    cf_stream *stream = NULL;
    EXPECT(CF_OK, cf_stream_open(ex, task, source, context, &options, &stream));
    cr_assert(stream != NULL);
    return stream;
}

/* ---- every shape ------------------------------------------------------------------------------ */

static void check_mixed(const cf_stream_item *item) {
    EXPECT_EQ(item->exception.status, CF_OK);
    EXPECT_EQ(item->result_size, sizeof(uint64_t));
    EXPECT_EQ(*(const uint64_t *)item->arg, item->index);
    EXPECT_EQ(*(const uint64_t *)item->result, mixed(item->index));
}

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

Test(stream, an_endless_source_is_asked_for_a_window_only) {
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

/* ---- how items end ---------------------------------------------------------------------------- */

static int run_odd_fails(const void *arg, void *result, cf_task_context *ctx) {
    uint64_t n = *(const uint64_t *)arg;
    memset(result, 'x', n % 9);
    cf_task_set_result_size(ctx, n % 9);
    return n % 2 == 1 ? (int)n : 0;
}

Test(stream, errors_and_lengths_are_each_items_own) {
    cf_executor *ex = create(3);
    const cf_task task = {.run = run_odd_fails, .arg_size = 8, .result_size = 8};
    for (size_t chunk = 1; chunk < 100; chunk *= 5) {
        numbers source = {.end = 500};
        cf_stream *stream =
            open_stream(ex, &task, next_number, &source, (cf_stream_options){.chunk = chunk});
        cf_stream_item item;
        for (uint64_t i = 0; i < 500; i++) {
            EXPECT(CF_OK, cf_stream_next(stream, LONG_WAIT, &item));
            EXPECT_EQ(item.index, i);
            EXPECT_EQ(*(const uint64_t *)item.arg, i);
            EXPECT_EQ(item.exception.status, i % 2 == 1 ? CF_ETASK : CF_OK);
            EXPECT_EQ(item.exception.task_error, i % 2 == 1 ? i : 0);
            size_t size = i % 9 < 8 ? i % 9 : 8;
            EXPECT_EQ(item.result_size, i % 2 == 1 ? 0 : size);
            cr_assert((item.result == NULL) == (i % 2 == 1));
            cr_assert(item.result == NULL || memcmp(item.result, "xxxxxxxx", size) == 0);
        }
        EXPECT(CF_EEXHAUSTED, cf_stream_next(stream, LONG_WAIT, &item));
        cf_stream_close(stream);
    }
    cf_executor_destroy(ex);
}

/* Every 10th kills its worker, the first `times` times that it is tried. */
typedef struct deadly {
    uint64_t n;
    unsigned times;
    unsigned reserved;
} deadly;

static unsigned deadly_times;

static cf_source_answer next_deadly(void *context, void *arg) {
    numbers *n = context;
    *(deadly *)arg = (deadly){.n = n->given, .times = deadly_times};
    return n->given++ < n->end ? CF_SOURCE_ITEM : CF_SOURCE_END;
}

static int run_deadly(const void *arg, void *result, cf_task_context *ctx) {
    const deadly *d = arg;
    if (d->n % 10 == 3 && cf_task_attempt(ctx) <= d->times) {
        raise(SIGKILL);
    }
    *(uint64_t *)result = mixed(d->n);
    return 0;
}

static void check_deaths(cf_executor *ex, unsigned times, cf_stream_options options) {
    const cf_task task = {.run = run_deadly, .arg_size = sizeof(deadly), .result_size = 8};
    enum {
        N = 60
    };
    bool seen[N] = {false};
    numbers source = {.end = N};
    deadly_times = times;
    cf_stream *stream = open_stream(ex, &task, next_deadly, &source, options);
    cf_stream_item item;
    for (uint64_t i = 0; i < N; i++) {
        EXPECT(CF_OK, cf_stream_next(stream, LONG_WAIT, &item));
        cr_assert(item.index < N && !seen[item.index]);
        seen[item.index] = true;
        cr_assert(options.as_completed || item.index == i);
        EXPECT_EQ(((const deadly *)item.arg)->n, item.index);
        bool dies = item.index % 10 == 3 && times > options.retries;
        EXPECT_EQ(item.exception.status, dies ? CF_EWORKER : CF_OK);
        EXPECT_EQ(item.exception.signal, dies ? SIGKILL : 0);
        cr_assert(dies == (item.result == NULL));
        cr_assert(dies || *(const uint64_t *)item.result == mixed(item.index));
    }
    EXPECT(CF_EEXHAUSTED, cf_stream_next(stream, LONG_WAIT, &item));
    cf_stream_close(stream);
}

Test(stream, a_dead_worker_costs_one_item) {
    NEEDS(survives_worker_death);
    cf_executor *ex = create(2);
    for (unsigned retries = 0; retries <= 2; retries++) {
        for (size_t chunk = 1; chunk <= 60; chunk *= 4) {
            for (int completed = 0; completed < 2; completed++) {
                cf_stream_options options = {
                    .chunk = chunk, .retries = retries, .as_completed = completed != 0};
                check_deaths(ex, 1, options);
                check_deaths(ex, 2, options);
            }
        }
    }
    cf_stats stats;
    EXPECT(CF_OK, cf_executor_stats(ex, &stats));
    EXPECT_EQ(stats.unseen, 0); /* whoever reads the items is told */
    cf_executor_destroy(ex);
}

/* Every 7th takes for ever: until it is asked to return where nobody can be killed. */
static int run_some_hang(const void *arg, void *result, cf_task_context *ctx) {
    uint64_t n = *(const uint64_t *)arg;
    while (n % 7 == 2 && !cf_task_cancelled(ctx)) {}
    *(uint64_t *)result = mixed(n);
    return 0;
}

Test(stream, an_item_over_its_time_costs_no_other) {
    const cf_task task = {.run = run_some_hang, .arg_size = 8, .result_size = 8};
    cf_executor *ex = create(2);
    for (size_t chunk = 1; chunk <= 30; chunk += 9) {
        numbers source = {.end = 40};
        cf_stream *stream = open_stream(
            ex, &task, next_number, &source,
            (cf_stream_options){.chunk = chunk, .timeout_ns = 30 * MILLISECOND, .retries = 1});
        cf_stream_item item;
        for (uint64_t i = 0; i < 40; i++) {
            EXPECT(CF_OK, cf_stream_next(stream, LONG_WAIT, &item));
            EXPECT_EQ(item.index, i);
            EXPECT_EQ(*(const uint64_t *)item.arg, i);
            if (i % 7 == 2) {
                EXPECT_EQ(item.exception.status, CF_EDEADLINE);
                EXPECT_EQ(item.exception.timeout_ns, 30 * MILLISECOND);
            } else if (item.exception.status != CF_EDEADLINE) { /* on a machine that is too busy */
                check_mixed(&item);
            }
        }
        EXPECT(CF_EEXHAUSTED, cf_stream_next(stream, LONG_WAIT, &item));
        cf_stream_close(stream);
    }
    cf_executor_destroy(ex);
}

/* ---- ending early ----------------------------------------------------------------------------- */

static cf_source_answer next_blocker(void *context, void *arg) {
    *(blocker *)arg = *(const blocker *)context;
    return CF_SOURCE_ITEM;
}

Test(stream, closing_cancels_what_has_not_begun) {
    NEEDS(runs_beside_caller);
    counter *counters = shared_alloc(3 * sizeof *counters);
    cf_executor *ex = create(2);
    blocker b = {.begun = &counters[0], .gate = &counters[1], .ran = &counters[2]};
    cf_stream *stream =
        open_stream(ex, &blocker_task, next_blocker, &b, (cf_stream_options){.window = 10});
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

Test(stream, an_executor_that_is_shut_down_ends_it) {
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

Test(stream, pending_items_of_a_cancelling_shutdown_are_cancelled) {
    NEEDS(runs_beside_caller);
    counter *counters = shared_alloc(3 * sizeof *counters);
    cf_executor *ex = create(1);
    blocker b = {.begun = &counters[0], .gate = &counters[1], .ran = &counters[2]};
    cf_stream *stream =
        open_stream(ex, &blocker_task, next_blocker, &b, (cf_stream_options){.window = 5});
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

/* ---- memory ----------------------------------------------------------------------------------- */

static const cf_task big_task = {
    .run = run_mix, .arg_size = 100000, .result_size = sizeof(uint64_t)};

Test(stream, an_arena_too_small_for_the_window_only_makes_it_wait) {
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

/* ---- beside others ---------------------------------------------------------------------------- */

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

Test(stream, the_source_may_use_the_same_executor) {
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
