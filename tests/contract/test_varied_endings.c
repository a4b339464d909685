/* Items of one chunk end in every manner while one of them overruns its time. Each tells its own ending,
 * whether it ran before the late one or after it. */
#include "rows.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

TestSuite(varied_endings, .timeout = TEST_SECONDS);

enum {
    ITEMS = 30,
    WORKERS = 2
};

static const int64_t limit_ns = 50 * MILLISECOND;

typedef enum manner {
    WELL,
    SHORT,   /* a result of half the size */
    NOTHING, /* a result of no size */
    FAILS,
    LATE,
    MANNERS = LATE
} manner;

typedef struct order {
    uint64_t value;
    manner manner;
} order;

typedef struct answer {
    uint64_t value, again;
} answer;

static int error_of(const order *o) {
    return 1 + (int)o->value;
}

static int run_order(const void *arg, void *result, cf_task_context *ctx) {
    const order *o = arg;
    *(answer *)result = (answer){o->value, o->value};
    switch (o->manner) {
    case SHORT:
        cf_task_set_result_size(ctx, sizeof(uint64_t));
        break;
    case NOTHING:
        cf_task_set_result_size(ctx, 0);
        break;
    case FAILS:
        return error_of(o);
    case LATE:
        while (!cf_task_cancelled(ctx)) {
            nanosleep(&(struct timespec){.tv_nsec = MILLISECOND}, NULL);
        }
        break;
    case WELL:
        break;
    }
    return 0;
}

static const cf_task order_task = {
    .name = "order", .run = run_order, .arg_size = sizeof(order), .result_size = sizeof(answer)};

static size_t size_of(const order *o) {
    return o->manner == WELL ? sizeof(answer) : o->manner == SHORT ? sizeof(uint64_t) : 0;
}

static void expect_exception(const order *o, const cf_exception *why) {
    const cf_status wanted = o->manner == LATE    ? CF_EDEADLINE
                             : o->manner == FAILS ? CF_ETASK
                                                  : CF_OK;
    cr_assert(why->status == wanted, "item %llu: %s, wanted %s", (unsigned long long)o->value,
              cf_status_name(why->status), cf_status_name(wanted));
    EXPECT_EQ(why->task_error, wanted == CF_ETASK ? error_of(o) : 0);
    EXPECT_EQ(why->timeout_ns, wanted == CF_EDEADLINE ? limit_ns : 0);
    EXPECT_EQ(why->signal + why->exit_code, 0);
}

/* `size` bytes are there. */
static void expect_answer(const order *o, const void *result, size_t size) {
    answer got = {0}, wanted = {0};
    memcpy(&got, result, size);
    memcpy(&wanted, &(answer){o->value, o->value}, size_of(o));
    cr_assert(memcmp(&got, &wanted, sizeof got) == 0, "item %llu gave %llu, %llu",
              (unsigned long long)o->value, (unsigned long long)got.value,
              (unsigned long long)got.again);
}

/* `plain`: nothing but the late one is out of the ordinary, and those that come after it. */
static void make_orders(order *orders, size_t late, bool plain, uint64_t *seed) {
    for (size_t i = 0; i < ITEMS; i++) {
        const bool varies = !plain || i > late;
        orders[i] = (order){.value = i + 1,
                            .manner = varies ? (manner)(random_next(seed) % MANNERS) : WELL};
    }
    orders[late].manner = LATE;
}

static void map_orders(cf_executor *ex, const order *orders, size_t chunk) {
    answer answers[ITEMS];
    cf_exception why[ITEMS];
    cf_status first = CF_OK;
    memset(answers, 0xa5, sizeof answers);
    memset(why, 0xa5, sizeof why);
    const cf_map_options options = {.chunk = chunk, .timeout_ns = limit_ns, .exceptions = why};
    const cf_status status = cf_executor_map(ex, &order_task, orders, ITEMS, answers, &options);
    for (size_t i = 0; i < ITEMS; i++) {
        expect_exception(&orders[i], &why[i]);
        expect_answer(&orders[i], &answers[i], sizeof(answer));
        first = first == CF_OK ? why[i].status : first;
    }
    EXPECT(first, status);
}

typedef struct source {
    const order *orders;
    size_t given;
} source;

static cf_source_answer next_order(void *context, void *arg) {
    source *s = context;
    if (s->given == ITEMS) {
        return CF_SOURCE_END;
    }
    *(order *)arg = s->orders[s->given++];
    return CF_SOURCE_ITEM;
}

static void stream_orders(cf_executor *ex, const order *orders, size_t chunk, bool as_completed) {
    source s = {.orders = orders};
    bool seen[ITEMS] = {false};
    cf_stream *stream = NULL;
    cf_stream_item item;
    const cf_stream_options options = {
        .as_completed = as_completed, .chunk = chunk, .timeout_ns = limit_ns};
    EXPECT(CF_OK, cf_stream_open(ex, &order_task, next_order, &s, &options, &stream));
    for (size_t i = 0; i < ITEMS; i++) {
        EXPECT(CF_OK, cf_stream_next(stream, LONG_WAIT, &item));
        cr_assert(item.index < ITEMS && !seen[item.index]);
        seen[item.index] = true;
        const order *o = &orders[item.index];
        expect_exception(o, &item.exception);
        EXPECT_EQ(item.result_size, size_of(o));
        if (item.result_size > 0) {
            expect_answer(o, item.result, item.result_size);
        }
    }
    EXPECT(CF_EEXHAUSTED, cf_stream_next(stream, LONG_WAIT, &item));
    cf_stream_close(stream);
}

static const size_t late_ones[] = {0, ITEMS / 2, ITEMS - 1};
static const size_t chunks[] = {5, ITEMS};

Test(varied_endings, of_a_map_are_told) {
    uint64_t seed = test_seed("varied_endings/of_a_map_are_told");
    cf_executor *ex = create(WORKERS);
    order orders[ITEMS];
    for (size_t k = 0; k < COUNT_OF(late_ones) * COUNT_OF(chunks); k++) {
        make_orders(orders, late_ones[k % COUNT_OF(late_ones)], k % 2, &seed);
        map_orders(ex, orders, chunks[k / COUNT_OF(late_ones)]);
    }
    cf_executor_destroy(ex);
}

Test(varied_endings, of_a_stream_are_told) {
    uint64_t seed = test_seed("varied_endings/of_a_stream_are_told");
    cf_executor *ex = create(WORKERS);
    order orders[ITEMS];
    for (size_t k = 0; k < COUNT_OF(late_ones) * COUNT_OF(chunks); k++) {
        make_orders(orders, late_ones[k % COUNT_OF(late_ones)], k % 2, &seed);
        stream_orders(ex, orders, chunks[k / COUNT_OF(late_ones)], k / 2 % 2);
    }
    cf_executor_destroy(ex);
}
