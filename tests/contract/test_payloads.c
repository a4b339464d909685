/* Arguments and results of every size up to CF_PAYLOAD_MAX arrive whole and aligned, on zeroed memory at each
 * attempt, and never touch each other. Larger ones are refused. */
#include "payloads.h"

#include <signal.h>
#include <string.h>

TestSuite(payloads, .timeout = TEST_SECONDS);

/* Around what fits a slot, a block, a chunk of blocks, and what is copied before the lock. */
static const size_t sizes[] = {0,     1,     7,     8,     16,    24,    25,         4096,
                               32767, 32768, 32769, 65535, 65536, 65537, (size_t)MIB};

static void every_pair_of_sizes(const cf_submit_options *options) {
    uint64_t seed = test_seed("payloads/every_pair_of_sizes");
    space r = space_of(MIB);
    cf_executor *ex = create(2);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        for (size_t k = 0; k < COUNT_OF(sizes); k++) {
            transform(ex, r, sizes[i], sizes[k], options, random_next(&seed));
        }
    }
    cf_executor_destroy(ex);
    space_free(r);
}

Test(payloads, of_every_size_arrive_whole) {
    every_pair_of_sizes(NULL);
}

Test(payloads, of_every_size_arrive_under_a_time_limit) {
    every_pair_of_sizes(&(cf_submit_options){.timeout_ns = LONG_WAIT});
}

Test(payloads, of_every_size_arrive_with_retries) {
    every_pair_of_sizes(&(cf_submit_options){.retries = 3});
}

Test(payloads, of_the_largest_size_arrive_whole) {
    static const cf_submit_options limited = {.timeout_ns = 2 * LONG_WAIT, .retries = 1};
    uint64_t seed = test_seed("payloads/of_the_largest_size_arrive_whole");
    space r = space_of(CF_PAYLOAD_MAX);
    cf_executor *ex = create(2);
    transform(ex, r, CF_PAYLOAD_MAX, 0, NULL, random_next(&seed));
    transform(ex, r, 0, CF_PAYLOAD_MAX, NULL, random_next(&seed));
    transform(ex, r, CF_PAYLOAD_MAX - 1, CF_PAYLOAD_MAX - 7, NULL, random_next(&seed));
    transform(ex, r, CF_PAYLOAD_MAX, CF_PAYLOAD_MAX, &limited, random_next(&seed));
    cf_executor_destroy(ex);
    space_free(r);
}

Test(payloads, beyond_the_largest_size_are_refused) {
    static const size_t too_large[] = {CF_PAYLOAD_MAX + 1, (size_t)1 << 32, SIZE_MAX / 2, SIZE_MAX};
    cf_executor *ex = create(1);
    char little[8] = {0};
    for (size_t i = 0; i < COUNT_OF(too_large); i++) {
        const cf_task tasks[] = {transform_of(too_large[i], 8), transform_of(8, too_large[i]),
                                 transform_of(too_large[i], too_large[i])};
        for (size_t k = 0; k < COUNT_OF(tasks); k++) {
            cf_future *f = (cf_future *)little;
            size_t submitted = 7;
            EXPECT(CF_EINVAL, cf_executor_submit(ex, &tasks[k], little, &f));
            cr_assert(f == NULL);
            EXPECT(CF_EINVAL,
                   cf_executor_submit_many(ex, &tasks[k], little, 1, NULL, &f, &submitted));
            EXPECT_EQ(submitted, 0);
            EXPECT(CF_EINVAL, cf_executor_map(ex, &tasks[k], little, 1, little, NULL));
        }
    }
    cf_stats stats;
    EXPECT(CF_OK, cf_executor_stats(ex, &stats));
    EXPECT_EQ(stats.submitted, 0);
    EXPECT_EQ(take(submit(ex, &square_task, &(uint64_t){3})), 9);
    cf_executor_destroy(ex);
}

Test(payloads, in_flight_do_not_touch_each_other) {
    enum {
        N = 300,
        MOST = 100 * KIB
    };
    uint64_t seed = test_seed("payloads/in_flight_do_not_touch_each_other");
    space r = space_of(MOST);
    cf_executor *ex = create(3);
    cf_future *futures[N];
    uint64_t sums[N];
    size_t results[N];
    for (size_t i = 0; i < N; i++) {
        const size_t arg_size = random_next(&seed) % MOST + 1;
        results[i] = random_next(&seed) % MOST;
        const cf_task task = transform_of(arg_size, results[i]);
        fill(r.arg, arg_size, random_next(&seed));
        sums[i] = sum_of(r.arg, arg_size);
        futures[i] = submit(ex, &task, r.arg);
    }
    for (size_t i = 0; i < N; i++) {
        EXPECT(CF_OK, cf_future_result(futures[i], LONG_WAIT, r.result));
        cr_assert(is_filled(r.result, results[i], sums[i]), "task %zu of %zu bytes", i, results[i]);
        cf_future_release(futures[i]);
    }
    cf_executor_destroy(ex);
    space_free(r);
}

/* The task table has room for 4096 different tasks: sizes do not make a task another one. */
Test(payloads, of_other_sizes_are_no_other_task) {
    enum {
        N = 6000
    };
    space r = space_of(N);
    cf_executor *ex = create(2);
    for (size_t i = 0; i < N; i++) {
        transform(ex, r, i, N - i, NULL, i);
    }
    cf_executor_destroy(ex);
    space_free(r);
}

/* ---- after a death --------------------------------------------------------------------------- */

/* Spoils the room and dies, but for the last attempt. */
static int run_spoil_and_die(const void *arg, void *result, cf_task_context *ctx) {
    if (cf_task_attempt(ctx) < 3) {
        memset(result, 0xEE, cf_task_room(ctx));
        raise(SIGKILL);
    }
    return run_transform(arg, result, ctx);
}

Test(payloads, begin_anew_with_each_attempt) {
    NEEDS(survives_worker_death);
    static const size_t few[] = {1, 24, 25, 65537, MIB};
    space r = space_of(MIB);
    cf_executor *ex = create(2);
    for (size_t i = 0; i < COUNT_OF(few); i++) {
        cf_task task = transform_of(few[i], few[i]);
        task.run = run_spoil_and_die;
        fill(r.arg, few[i], i);
        cf_future *f = NULL;
        const cf_submit_options options = {.retries = 2, .timeout_ns = LONG_WAIT};
        EXPECT(CF_OK, cf_executor_submit_with(ex, &task, r.arg, &options, &f));
        EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, r.result));
        cr_assert(is_filled(r.result, few[i], sum_of(r.arg, few[i])), "%zu bytes", few[i]);
        cf_future_release(f);
    }
    cf_executor_destroy(ex);
    space_free(r);
}
