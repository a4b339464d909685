/* Many tasks in one call run as if each had been submitted by itself. */
#include "rows.h"
#include "stats.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

TestSuite(submit_many, .timeout = TEST_SECONDS);

static uint64_t *numbers(size_t count) {
    uint64_t *args = malloc((count + 1) * sizeof *args);
    for (uint64_t i = 0; i < count; i++) {
        args[i] = i * 7 + 3;
    }
    return args;
}

static void expect_squares(cf_future **futures, const uint64_t *args, size_t count) {
    for (size_t i = 0; i < count; i++) {
        cr_assert(futures[i] != NULL, "future %zu", i);
        EXPECT_EQ(take(futures[i]), args[i] * args[i]);
    }
}

/* Around the batch of 64 that is submitted under one taking of the lock, and the slab of 1024. */
Test(submit_many, any_number) {
    static const size_t counts[] = {0, 1, 2, 63, 64, 65, 127, 128, 129, 1023, 1024, 1025, 5000};
    cf_executor *ex = create(2);
    uint64_t total = 0;
    for (size_t k = 0; k < COUNT_OF(counts); k++) {
        const size_t n = counts[k];
        uint64_t *args = numbers(n);
        cf_future **futures = malloc((n + 1) * sizeof *futures);
        size_t submitted = SIZE_MAX;
        EXPECT(CF_OK,
               cf_executor_submit_many(ex, &square_task, args, n, NULL, futures, &submitted));
        EXPECT_EQ(submitted, n);
        expect_squares(futures, args, n);
        total += n;
        EXPECT_EQ(stats_of(ex).submitted, total);
        free(args);
        free(futures);
    }
    EXPECT_EQ(stats_of(ex).failed, 0);
    cf_executor_destroy(ex);
}

Test(submit_many, nothing_may_be_null) {
    cf_executor *ex = create(1);
    size_t submitted = SIZE_MAX;
    EXPECT(CF_OK, cf_executor_submit_many(ex, &square_task, NULL, 0, NULL, NULL, &submitted));
    EXPECT_EQ(submitted, 0);
    EXPECT(CF_OK, cf_executor_submit_many(ex, &square_task, NULL, 0, NULL, NULL, NULL));
    EXPECT_EQ(stats_of(ex).submitted, 0);
    cf_executor_destroy(ex);
}

Test(submit_many, as_many_as_serial_and_the_same) {
    enum {
        N = 5000
    };
    cf_executor *executors[2] = {create(3), NULL};
    EXPECT(CF_OK, cf_serial_create(NULL, &executors[1]));
    uint64_t *args = numbers(N);
    cf_future **futures[2];
    for (size_t k = 0; k < 2; k++) {
        futures[k] = malloc(N * sizeof(cf_future *));
        EXPECT(CF_OK, cf_executor_submit_many(executors[k], &square_task, args, N, NULL, futures[k],
                                              NULL));
    }
    for (size_t i = 0; i < N; i++) {
        EXPECT_EQ(take(futures[0][i]), take(futures[1][i]));
    }
    for (size_t k = 0; k < 2; k++) {
        free(futures[k]);
        cf_executor_destroy(executors[k]);
    }
    free(args);
}

/* One worker begins them one after the other, and they tell in which order. */
typedef struct turn {
    counter *turns;
    uint64_t own;
} turn;

static int run_turn(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    const turn *t = arg;
    *(uint64_t *)result = counter_get(t->turns);
    counter_add(t->turns, 1);
    return 0;
}

static const cf_task turn_task = {
    .name = "turn", .run = run_turn, .arg_size = sizeof(turn), .result_size = sizeof(uint64_t)};

Test(submit_many, in_order_and_after_what_was_there) {
    enum {
        N = 1500
    };
    counter *turns = shared_alloc(sizeof *turns);
    cf_executor *ex = create(1);
    turn *args = calloc(3 * N, sizeof *args);
    cf_future **futures = calloc(3 * N, sizeof *futures);
    for (uint64_t i = 0; i < 3 * N; i++) {
        args[i] = (turn){.turns = turns, .own = i};
    }
    for (size_t i = 0; i < N; i++) {
        futures[i] = submit(ex, &turn_task, &args[i]);
    }
    EXPECT(CF_OK, cf_executor_submit_many(ex, &turn_task, args + N, N, NULL, futures + N, NULL));
    for (size_t i = 2 * N; i < 3 * N; i++) {
        futures[i] = submit(ex, &turn_task, &args[i]);
    }
    for (size_t i = 0; i < 3 * N; i++) {
        EXPECT_EQ(take(futures[i]), i);
    }
    cf_executor_destroy(ex);
    free(args);
    free(futures);
    shared_free(turns, sizeof *turns);
}

Test(submit_many, futures_that_nobody_wants) {
    enum {
        N = 5000
    };
    counter *c = shared_alloc(sizeof *c);
    counter **args = malloc(N * sizeof(counter *));
    cf_executor *ex = create(2);
    size_t submitted = 0;
    for (size_t i = 0; i < N; i++) {
        args[i] = c;
    }
    EXPECT(CF_OK, cf_executor_submit_many(ex, &add_task, args, N, NULL, NULL, &submitted));
    EXPECT_EQ(submitted, N);
    EXPECT(CF_OK, cf_executor_submit_many(ex, &add_task, args, N, NULL, NULL, NULL));
    cf_executor_destroy(ex);
    EXPECT_EQ(counter_get(c), 2 * N);
    free(args);
    shared_free(c, sizeof *c);
}

static int run_nothing(const void *arg, void *result, cf_task_context *ctx) {
    return arg != NULL || result != NULL || cf_task_arg_size(ctx) != 0 || cf_task_room(ctx) != 0;
}

Test(submit_many, arguments_and_results_of_no_size) {
    enum {
        N = 200
    };
    const cf_task nothing = {.run = run_nothing};
    cf_executor *ex = create(2);
    cf_future *futures[N];
    EXPECT(CF_OK, cf_executor_submit_many(ex, &nothing, NULL, N, NULL, futures, NULL));
    for (size_t i = 0; i < N; i++) {
        EXPECT(CF_OK, cf_future_result(futures[i], LONG_WAIT, NULL));
        cf_future_release(futures[i]);
    }
    cf_executor_destroy(ex);
}

typedef struct page {
    unsigned char bytes[PAGE];
} page;

static int run_copy(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    *(page *)result = *(const page *)arg;
    return 0;
}

static const cf_task copy_task = {
    .name = "copy", .run = run_copy, .arg_size = sizeof(page), .result_size = sizeof(page)};

static page *pages(size_t count) {
    page *args = calloc(count, sizeof *args);
    for (size_t i = 0; i < count; i++) {
        args[i].bytes[0] = (unsigned char)i;
        args[i].bytes[PAGE - 1] = (unsigned char)(i >> 8);
    }
    return args;
}

static void expect_page(cf_future *future, const page *wanted) {
    page got;
    EXPECT(CF_OK, cf_future_result(future, LONG_WAIT, &got));
    EXPECT_EQ(got.bytes[0], wanted->bytes[0]);
    EXPECT_EQ(got.bytes[PAGE - 1], wanted->bytes[PAGE - 1]);
    cf_future_release(future);
}

Test(submit_many, stops_at_the_limit_and_says_where) {
    enum {
        LIMIT = 8 << 20,
        N = 2 * LIMIT / (2 * PAGE)
    };
    cf_executor *ex =
        create_with((cf_pool_options){.max_workers = workers_of(2), .arena_limit = LIMIT});
    page *args = pages(N);
    cf_future **futures = malloc(N * sizeof *futures);
    for (int round = 0; round < 3; round++) {
        size_t submitted = SIZE_MAX;
        for (size_t i = 0; i < N; i++) {
            futures[i] = (cf_future *)args; /* to be overwritten */
        }
        EXPECT(CF_ENOMEM,
               cf_executor_submit_many(ex, &copy_task, args, N, NULL, futures, &submitted));
        cr_assert(submitted > N / 8 && submitted < N, "%zu fitted", submitted);
        for (size_t i = 0; i < N; i++) {
            cr_assert((futures[i] != NULL) == (i < submitted), "future %zu of %zu", i, submitted);
        }
        for (size_t i = 0; i < submitted; i++) {
            expect_page(futures[i], &args[i]);
        }
    }
    EXPECT(CF_OK, cf_executor_submit_many(ex, &copy_task, args, 64, NULL, futures, NULL));
    for (size_t i = 0; i < 64; i++) {
        expect_page(futures[i], &args[i]);
    }
    cf_executor_destroy(ex);
    free(futures);
    free(args);
}

static int run_late(const void *arg, void *result, cf_task_context *ctx) {
    (void)result;
    (void)ctx;
    if (*(const uint64_t *)arg % 2) {
        spin_for(20 * MILLISECOND);
    }
    return 0;
}

Test(submit_many, with_a_time_limit_for_each) {
    enum {
        N = 10
    };
    const cf_task late_task = {.run = run_late, .arg_size = sizeof(uint64_t)};
    cf_executor *ex = create(2);
    uint64_t args[N];
    cf_future *futures[N];
    for (uint64_t i = 0; i < N; i++) {
        args[i] = 2 * i + 1;
    }
    EXPECT(CF_OK, cf_executor_submit_many(ex, &late_task, args, N,
                                          &(cf_submit_options){.timeout_ns = 5 * MILLISECOND},
                                          futures, NULL));
    for (size_t i = 0; i < N; i++) {
        EXPECT(CF_EDEADLINE, cf_future_result(futures[i], LONG_WAIT, NULL));
        cf_future_release(futures[i]);
        args[i]--;
    }
    EXPECT(CF_OK,
           cf_executor_submit_many(ex, &late_task, args, N,
                                   &(cf_submit_options){.timeout_ns = LONG_WAIT}, futures, NULL));
    for (size_t i = 0; i < N; i++) {
        EXPECT(CF_OK, cf_future_result(futures[i], LONG_WAIT, NULL));
        cf_future_release(futures[i]);
    }
    cf_executor_destroy(ex);
}

static int run_die_once(const void *arg, void *result, cf_task_context *ctx) {
    uint64_t value = *(const uint64_t *)arg;
    if (value % 3 == 0 && cf_task_attempt(ctx) == 1) {
        _exit(3);
    }
    *(uint64_t *)result = value * value;
    return 0;
}

Test(submit_many, with_retries_for_each) {
    NEEDS(survives_worker_death);
    enum {
        N = 60
    };
    const cf_task die_once_task = {
        .run = run_die_once, .arg_size = sizeof(uint64_t), .result_size = sizeof(uint64_t)};
    cf_executor *ex = create(2);
    uint64_t args[N];
    cf_future *futures[N];
    for (uint64_t i = 0; i < N; i++) {
        args[i] = i;
    }
    EXPECT(CF_OK, cf_executor_submit_many(ex, &die_once_task, args, N,
                                          &(cf_submit_options){.retries = 1}, futures, NULL));
    expect_squares(futures, args, N);
    EXPECT_EQ(stats_of(ex).retries, N / 3);
    EXPECT(CF_OK, cf_executor_submit_many(ex, &die_once_task, args, N, NULL, futures, NULL));
    for (uint64_t i = 0; i < N; i++) {
        EXPECT(i % 3 ? CF_OK : CF_EWORKER, cf_future_result(futures[i], LONG_WAIT, NULL));
        cf_future_release(futures[i]);
    }
    cf_executor_destroy(ex);
}

Test(submit_many, can_be_cancelled_one_by_one) {
    NEEDS(cancels_pending);
    enum {
        N = 300
    };
    counter *c = shared_alloc(4 * sizeof *c);
    cf_executor *ex = create(1);
    blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2]};
    cf_future *held = submit(ex, &blocker_task, &b), *futures[N];
    counter *args[N];
    cr_assert(counter_wait(&c[0], 1));
    for (size_t i = 0; i < N; i++) {
        args[i] = &c[3];
    }
    EXPECT(CF_OK, cf_executor_submit_many(ex, &add_task, args, N, NULL, futures, NULL));
    for (size_t i = 0; i < N; i += 3) {
        cr_assert(cf_future_cancel(futures[i]));
    }
    counter_add(&c[1], 1);
    for (size_t i = 0; i < N; i++) {
        EXPECT(i % 3 ? CF_OK : CF_ECANCELLED, cf_future_result(futures[i], LONG_WAIT, NULL));
        cf_future_release(futures[i]);
    }
    EXPECT_EQ(counter_get(&c[3]), N - N / 3);
    cf_future_release(held);
    cf_executor_destroy(ex);
    shared_free(c, 4 * sizeof *c);
}

/* ---- from several threads, and inside tasks -------------------------------------------------- */

enum {
    THREADS = 4,
    EACH = 3000
};

typedef struct submitter {
    pthread_t thread;
    cf_executor *ex;
    counter *start;
    uint64_t args[EACH];
    cf_future *futures[EACH];
    cf_status status;
} submitter;

static void *submit_with_others(void *arg) {
    submitter *s = arg;
    counter_wait(s->start, 1);
    s->status = cf_executor_submit_many(s->ex, &square_task, s->args, EACH, NULL, s->futures, NULL);
    return NULL;
}

Test(submit_many, from_several_threads_at_once) {
    cf_executor *ex = create(2);
    submitter *submitters = calloc(THREADS, sizeof *submitters);
    counter start = {0};
    for (size_t t = 0; t < THREADS; t++) {
        submitters[t].ex = ex;
        submitters[t].start = &start;
        for (uint64_t i = 0; i < EACH; i++) {
            submitters[t].args[i] = t * EACH + i;
        }
        cr_assert_eq(
            pthread_create(&submitters[t].thread, NULL, submit_with_others, &submitters[t]), 0);
    }
    counter_add(&start, 1);
    for (size_t t = 0; t < THREADS; t++) {
        cr_assert_eq(pthread_join(submitters[t].thread, NULL), 0);
        EXPECT(CF_OK, submitters[t].status);
    }
    for (size_t t = 0; t < THREADS; t++) {
        expect_squares(submitters[t].futures, submitters[t].args, EACH);
    }
    EXPECT_EQ(stats_of(ex).submitted, THREADS * EACH);
    cf_executor_destroy(ex);
    free(submitters);
}

static int run_fan_out(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    enum {
        N = 100
    };
    cf_executor *ex = *(cf_executor *const *)arg;
    uint64_t args[N], sum = 0;
    cf_future *futures[N];
    for (uint64_t i = 0; i < N; i++) {
        args[i] = i;
    }
    cf_status status = cf_executor_submit_many(ex, &square_task, args, N, NULL, futures, NULL);
    for (size_t i = 0; status == CF_OK && i < N; i++) {
        uint64_t value = 0;
        status = cf_future_result(futures[i], CF_FOREVER, &value);
        cf_future_release(futures[i]);
        sum += value;
    }
    *(uint64_t *)result = sum;
    return (int)status;
}

Test(submit_many, inside_a_task) {
    NOT_REMOTE(USES_EXECUTOR);
    const cf_task fan_out_task = {
        .run = run_fan_out, .arg_size = sizeof(cf_executor *), .result_size = sizeof(uint64_t)};
    cf_executor *ex = create(1);
    cf_future *f = submit(ex, &fan_out_task, &ex);
    if (row()->shares_memory) {
        EXPECT_EQ(take(f), 99 * 100 * 199 / 6);
    } else {
        cf_exception why;
        EXPECT(CF_OK, cf_future_exception(f, LONG_WAIT, &why));
        EXPECT_EQ(why.task_error, CF_EFORKED);
        cf_future_release(f);
    }
    cf_executor_destroy(ex);
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void expect_refused(cf_status wanted, cf_executor *ex, const cf_task *task, const void *args,
                           const cf_submit_options *options) {
    enum {
        N = 3
    };
    cf_future *futures[N] = {(cf_future *)&wanted, (cf_future *)&wanted, (cf_future *)&wanted};
    size_t submitted = SIZE_MAX;
    EXPECT(wanted, cf_executor_submit_many(ex, task, args, N, options, futures, &submitted));
    EXPECT_EQ(submitted, 0);
    for (size_t i = 0; i < N; i++) {
        cr_assert(futures[i] == NULL);
    }
    EXPECT(wanted, cf_executor_submit_many(ex, task, args, N, options, NULL, NULL));
}

Test(submit_many, refuses_what_is_none) {
    const uint64_t args[3] = {1, 2, 3};
    const cf_task no_function = {.arg_size = sizeof(uint64_t)};
    cf_task large = square_task;
    cf_executor *ex = create(1);
    expect_refused(CF_EINVAL, NULL, &square_task, args, NULL);
    expect_refused(CF_EINVAL, ex, NULL, args, NULL);
    expect_refused(CF_EINVAL, ex, &no_function, args, NULL);
    expect_refused(CF_EINVAL, ex, &square_task, NULL, NULL);
    expect_refused(CF_EINVAL, ex, &square_task, args,
                   &(cf_submit_options){.retries = CF_RETRIES_MAX + 1});
    large.arg_size = CF_PAYLOAD_MAX + 1;
    expect_refused(CF_EINVAL, ex, &large, args, NULL);
    large = square_task;
    large.result_size = CF_PAYLOAD_MAX + 1;
    expect_refused(CF_EINVAL, ex, &large, args, NULL);
    EXPECT(CF_EINVAL, cf_executor_submit_many(NULL, &square_task, NULL, 0, NULL, NULL, NULL));
    EXPECT(CF_EINVAL, cf_executor_submit_many(ex, NULL, NULL, 0, NULL, NULL, NULL));
    EXPECT_EQ(stats_of(ex).submitted, 0);
    cf_executor_destroy(ex);
}

Test(submit_many, is_refused_after_shutdown) {
    const uint64_t args[3] = {1, 2, 3};
    cf_executor *ex = create(1);
    EXPECT(CF_OK, cf_executor_shutdown(ex, false, false));
    expect_refused(CF_ESHUTDOWN, ex, &square_task, args, NULL);
    EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
    expect_refused(CF_ESHUTDOWN, ex, &square_task, args, NULL);
    EXPECT_EQ(stats_of(ex).submitted, 0);
    cf_executor_destroy(ex);
}

static int child_is_refused(void *context) {
    cf_executor *ex = context;
    const uint64_t args[3] = {1, 2, 3};
    cf_future *futures[3];
    size_t submitted = SIZE_MAX;
    HOST_CHECK(cf_executor_submit_many(ex, &square_task, args, 3, NULL, futures, &submitted) ==
               CF_EFORKED);
    HOST_CHECK(submitted == 0 && futures[0] == NULL && futures[2] == NULL);
    HOST_CHECK(cf_executor_submit_many(ex, &square_task, NULL, 0, NULL, NULL, NULL) == CF_EFORKED);
    return 0;
}

Test(submit_many, is_refused_in_a_forked_child) {
    cf_executor *ex = create(1);
    EXPECT_HOST_OK(host_run(child_is_refused, ex));
    EXPECT_EQ(take(submit(ex, &square_task, &(uint64_t){4})), 16);
    cf_executor_destroy(ex);
}
