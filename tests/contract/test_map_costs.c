/* If costs are told, the dearest items begin first. Results keep the array's order, and the first failure is
 * the first of the array. */
#include "rows.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

TestSuite(map_costs, .timeout = TEST_SECONDS);

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

Test(map_costs, begins_the_dearest_first) {
    static const size_t chunks[] = {0, 1, 7, COSTED};
    uint64_t seed = test_seed("map_costs/begins_the_dearest_first");
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

Test(map_costs, costs_leave_the_order_of_answers_alone) {
    uint64_t seed = test_seed("map_costs/costs_leave_the_order_of_answers_alone");
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

Test(map_costs, the_first_failure_is_the_arrays) {
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

Test(map_costs, costs_of_few_and_of_nothing) {
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
