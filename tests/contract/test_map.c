/* A map writes each item's result in the item's place, whatever the count and the chunk. An item that fails
 * costs only itself. */
#include "rows.h"

#include <stdlib.h>
#include <string.h>

TestSuite(map, .timeout = TEST_SECONDS);

/* A result that says which item made it, odd in size so that a wrong stride shows. */
typedef struct item {
    uint32_t n;
    unsigned char rest[9];
} item;

static int run_work(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    const item *in = arg;
    item *out = result;
    out->n = in->n * 2654435761u;
    for (size_t i = 0; i < sizeof out->rest; i++) {
        out->rest[i] = (unsigned char)(in->rest[i] ^ (out->n >> i));
    }
    return 0;
}

static const cf_task work_task = {
    .name = "work", .run = run_work, .arg_size = sizeof(item), .result_size = sizeof(item)};

static item *new_items(size_t n) {
    item *items = calloc(n + 1, sizeof *items);
    for (size_t i = 0; i < n; i++) {
        items[i].n = (uint32_t)i;
        memset(items[i].rest, (int)(i % 251), sizeof items[i].rest);
    }
    return items;
}

static void map_like_serial(cf_executor *ex, size_t n, size_t chunk) {
    item *args = new_items(n), *results = new_items(n), *reference = new_items(n);
    cf_executor *oracle = NULL;
    EXPECT(CF_OK, cf_serial_create(NULL, &oracle));
    EXPECT(CF_OK, cf_executor_map(oracle, &work_task, args, n, reference, NULL));
    cf_executor_destroy(oracle);
    for (size_t i = 0; i < n; i++) { /* the oracle itself, against the task called by hand */
        item direct = {0};
        run_work(&args[i], &direct, NULL);
        cr_assert(memcmp(&direct, &reference[i], sizeof direct) == 0, "serial, item %zu", i);
    }
    cf_map_options options = {.chunk = chunk};
    memset(&results[n], 0xA5, sizeof results[n]);
    EXPECT(CF_OK, cf_executor_map(ex, &work_task, args, n, results, &options));
    cr_assert(memcmp(results, reference, n * sizeof *results) == 0, "n %zu, chunk %zu", n, chunk);
    EXPECT_EQ(results[n].n, 0xA5A5A5A5u); /* nothing written behind the last */
    free(args);
    free(results);
    free(reference);
}

Test(map, equals_serial_for_every_count_and_chunk) {
    static const size_t counts[] = {0, 1, 1009, 100000};
    cf_executor *ex = create(3);
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        const size_t n = counts[i];
        const size_t chunks[] = {0, 1, 3, n ? n : 1, n + 7, SIZE_MAX};
        for (size_t k = 0; k < COUNT_OF(chunks); k++) {
            map_like_serial(ex, n, chunks[k]);
        }
    }
    cf_executor_destroy(ex);
}

static int run_picky(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    uint64_t n = *(const uint64_t *)arg;
    *(uint64_t *)result = n + 1;
    return n % 7 == 3 ? (int)n : 0;
}

static const cf_task picky_task = {.name = "picky",
                                   .run = run_picky,
                                   .arg_size = sizeof(uint64_t),
                                   .result_size = sizeof(uint64_t)};

static void map_with_failures(cf_executor *ex, size_t chunk, bool want_exceptions) {
    enum {
        N = 1000
    };
    uint64_t args[N], results[N];
    cf_exception why[N];
    memset(results, 0xFF, sizeof results);
    memset(why, 0xFF, sizeof why);
    for (uint64_t i = 0; i < N; i++) {
        args[i] = i;
    }
    cf_map_options options = {.chunk = chunk, .exceptions = want_exceptions ? why : NULL};
    EXPECT(CF_ETASK, cf_executor_map(ex, &picky_task, args, N, results, &options));
    for (uint64_t i = 0; i < N; i++) {
        bool fails = i % 7 == 3;
        EXPECT_EQ(results[i], fails ? 0 : i + 1);
        if (want_exceptions) {
            EXPECT_EQ(why[i].status, fails ? CF_ETASK : CF_OK);
            EXPECT_EQ(why[i].task_error, fails ? i : 0);
            cr_assert(why[i].worker >= 0 && why[i].worker < (int)cf_executor_max_workers(ex));
        }
    }
}

Test(map, failed_items_cost_themselves_only) {
    cf_executor *ex = create(2);
    for (size_t chunk = 0; chunk <= 20; chunk++) {
        map_with_failures(ex, chunk, true);
    }
    map_with_failures(ex, 1000, true);
    map_with_failures(ex, 5000, true);
    map_with_failures(ex, 0, false);
    cf_executor_destroy(ex);
}

Test(map, exceptions_of_success) {
    enum {
        N = 100
    };
    uint64_t args[N] = {0}, results[N];
    cf_exception why[N];
    memset(why, 0xFF, sizeof why);
    cf_executor *ex = create(2);
    cf_map_options options = {.exceptions = why};
    EXPECT(CF_OK, cf_executor_map(ex, &square_task, args, N, results, &options));
    for (size_t i = 0; i < N; i++) {
        EXPECT_EQ(why[i].status, CF_OK);
        EXPECT_EQ(why[i].task_error, 0);
        EXPECT_EQ(why[i].signal, 0);
        EXPECT_EQ(why[i].exit_code, 0);
    }
    cf_executor_destroy(ex);
}

/* Takes the next number of a line, and notes it for its item. */
typedef struct queue_up {
    counter *line;
    uint32_t *place;
} queue_up;

static int run_queue_up(const void *arg, void *result, cf_task_context *ctx) {
    (void)result;
    (void)ctx;
    const queue_up *q = arg;
    *q->place = atomic_fetch_add(&q->line->value, 1);
    return 0;
}

Test(map, items_begin_in_order) {
    enum {
        N = 2000
    };
    static const cf_task task = {.run = run_queue_up, .arg_size = sizeof(queue_up)};
    uint32_t *places = shared_alloc(N * sizeof *places);
    counter *line = shared_alloc(sizeof *line);
    queue_up *args = calloc(N, sizeof *args);
    cf_executor *ex = create(1);
    for (size_t i = 0; i < N; i++) {
        args[i] = (queue_up){line, &places[i]};
    }
    static const size_t chunks[] = {0, 1, 7, N};
    for (size_t k = 0; k < COUNT_OF(chunks); k++) {
        atomic_store(&line->value, 0);
        cf_map_options options = {.chunk = chunks[k]};
        EXPECT(CF_OK, cf_executor_map(ex, &task, args, N, NULL, &options));
        for (size_t i = 0; i < N; i++) { /* each once, and with one worker one after the other */
            EXPECT_EQ(places[i], i);
        }
    }
    EXPECT_EQ(counter_get(line), N);
    cf_executor_destroy(ex);
    free(args);
    shared_free(line, sizeof *line);
    shared_free(places, N * sizeof *places);
}

static int run_seven(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    *(uint64_t *)result = arg ? 0 : 7;
    return 0;
}

Test(map, without_arguments_or_results) {
    enum {
        N = 500
    };
    static const cf_task seven_task = {.run = run_seven, .result_size = sizeof(uint64_t)};
    counter *c = shared_alloc(sizeof *c);
    counter *args[N];
    uint64_t results[N] = {0};
    cf_executor *ex = create(2);
    EXPECT(CF_OK, cf_executor_map(ex, &seven_task, NULL, N, results, NULL));
    for (size_t i = 0; i < N; i++) {
        EXPECT_EQ(results[i], 7);
        args[i] = c;
    }
    EXPECT(CF_OK, cf_executor_map(ex, &add_task, args, N, NULL, NULL));
    EXPECT_EQ(counter_get(c), N);
    EXPECT(CF_OK, cf_executor_map(ex, &square_task, NULL, 0, NULL, NULL));
    cf_executor_destroy(ex);
    shared_free(c, sizeof *c);
}

typedef struct page {
    unsigned char bytes[PAGE];
} page;

static int run_invert(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    const unsigned char *in = arg;
    unsigned char *out = result;
    for (size_t i = 0; i < PAGE; i++) {
        out[i] = (unsigned char)~in[i];
    }
    return 0;
}

Test(map, of_the_biggest_items) {
    enum {
        N = 1000
    };
    static const cf_task task = {
        .run = run_invert, .arg_size = sizeof(page), .result_size = sizeof(page)};
    page *args = malloc(N * sizeof *args), *results = malloc(N * sizeof *results);
    for (size_t i = 0; i < N; i++) {
        memset(args[i].bytes, (int)(i % 256), sizeof args[i].bytes);
    }
    cf_executor *ex = create(2);
    static const size_t chunks[] = {0, 1, 100, N};
    for (size_t k = 0; k < COUNT_OF(chunks); k++) {
        memset(results, 0, N * sizeof *results);
        cf_map_options options = {.chunk = chunks[k]};
        EXPECT(CF_OK, cf_executor_map(ex, &task, args, N, results, &options));
        for (size_t i = 0; i < N; i++) {
            for (size_t b = 0; b < PAGE; b++) {
                if (results[i].bytes[b] != (unsigned char)~args[i].bytes[b]) {
                    cr_assert_fail("item %zu, byte %zu, chunk %zu", i, b, chunks[k]);
                }
            }
        }
    }
    cf_executor_destroy(ex);
    free(args);
    free(results);
}

Test(map, beside_submitted_tasks) {
    enum {
        N = 500
    };
    cf_future *futures[N];
    uint64_t args[N], results[N];
    cf_executor *ex = create(2);
    for (uint64_t i = 0; i < N; i++) {
        args[i] = i;
        futures[i] = submit(ex, &square_task, &i);
    }
    EXPECT(CF_OK, cf_executor_map(ex, &square_task, args, N, results, NULL));
    for (uint64_t i = 0; i < N; i++) {
        EXPECT_EQ(results[i], i * i);
        EXPECT_EQ(take(futures[i]), i * i);
    }
    cf_executor_destroy(ex);
}

Test(map, after_shutdown) {
    uint64_t arg = 3, result = 0;
    cf_executor *ex = create(2);
    EXPECT(CF_OK, cf_executor_shutdown(ex, false, false));
    EXPECT(CF_ESHUTDOWN, cf_executor_map(ex, &square_task, &arg, 1, &result, NULL));
    cf_executor_destroy(ex);
}

/* Every 7th takes until it is asked to return. */
static int run_some_hang(const void *arg, void *result, cf_task_context *ctx) {
    uint64_t n = *(const uint64_t *)arg;
    while (n % 7 == 2 && !cf_task_cancelled(ctx)) {}
    *(uint64_t *)result = n + 1;
    return 0;
}

static void map_with_overruns(cf_executor *ex, size_t chunk) {
    enum {
        N = 30
    };
    static const cf_task task = {
        .run = run_some_hang, .arg_size = sizeof(uint64_t), .result_size = sizeof(uint64_t)};
    uint64_t args[N], results[N];
    cf_exception why[N];
    memset(results, 0xFF, sizeof results);
    for (uint64_t i = 0; i < N; i++) {
        args[i] = i;
    }
    cf_map_options options = {
        .chunk = chunk, .timeout_ns = 30 * MILLISECOND, .retries = 2, .exceptions = why};
    EXPECT(CF_EDEADLINE, cf_executor_map(ex, &task, args, N, results, &options));
    for (uint64_t i = 0; i < N; i++) {
        if (why[i].status == CF_EDEADLINE) { /* others too, on a machine that is too busy */
            EXPECT_EQ(why[i].timeout_ns, 30 * MILLISECOND);
            EXPECT_EQ(results[i], 0);
        } else {
            cr_assert(i % 7 != 2, "item %llu was in time", (unsigned long long)i);
            EXPECT_EQ(why[i].status, CF_OK);
            EXPECT_EQ(results[i], i + 1);
        }
    }
}

Test(map, an_item_over_its_time_costs_itself_only) {
    cf_executor *ex = create(2);
    for (size_t chunk = 0; chunk <= 40; chunk += 10) {
        map_with_overruns(ex, chunk);
    }
    cf_executor_destroy(ex);
}

Test(map, items_in_time) {
    enum {
        N = 3000
    };
    uint64_t args[N], results[N];
    cf_executor *ex = create(2);
    for (uint64_t i = 0; i < N; i++) {
        args[i] = i;
    }
    static const int64_t limits[] = {LONG_WAIT, INT64_MAX, CF_FOREVER};
    for (size_t k = 0; k < COUNT_OF(limits); k++) {
        memset(results, 0, sizeof results);
        cf_map_options options = {.timeout_ns = limits[k]};
        EXPECT(CF_OK, cf_executor_map(ex, &square_task, args, N, results, &options));
        for (uint64_t i = 0; i < N; i++) {
            EXPECT_EQ(results[i], i * i);
        }
    }
    cf_executor_destroy(ex);
}
