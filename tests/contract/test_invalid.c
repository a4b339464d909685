/* Invalid options, tasks and arguments are refused with CF_EINVAL, and do no harm. */
#include "rows.h"

#include <stdlib.h>

TestSuite(invalid, .timeout = TEST_SECONDS);

Test(invalid, options) {
    cf_executor *ex = NULL;
    EXPECT(CF_EINVAL, row()->create(NULL, NULL));
    EXPECT(CF_EINVAL, row()->create(&(cf_pool_options){.max_workers = CF_WORKERS_MAX + 1}, &ex));
    EXPECT(CF_EINVAL, row()->create(&(cf_pool_options){.max_workers = UINT32_MAX}, &ex));
    cr_assert(ex == NULL);
    if (!row()->runs_beside_caller) {
        EXPECT(CF_EINVAL, row()->create(&(cf_pool_options){.max_workers = 2}, &ex));
    }
}

Test(invalid, the_most_workers_are_allowed) {
    NEEDS(runs_beside_caller);
    footprint before = footprint_now();
    cf_executor *ex = create(CF_WORKERS_MAX);
    EXPECT_EQ(cf_executor_max_workers(ex), CF_WORKERS_MAX);
    EXPECT_EQ(take(submit(ex, &square_task, &(uint64_t){5})), 25);
    cf_executor_destroy(ex);
    footprint_check(before);
}

static void refuse(cf_executor *ex, const cf_task *task, const void *arg) {
    cf_future *f = NULL;
    EXPECT(CF_EINVAL, cf_executor_submit(ex, task, arg, &f));
    EXPECT(CF_EINVAL, cf_executor_submit_with(ex, task, arg, NULL, &f));
    cr_assert(f == NULL);
}

Test(invalid, submit) {
    cf_executor *ex = create(2);
    unsigned char big[1] = {0}; /* must be refused before it is read */
    cf_task task = square_task;

    refuse(NULL, &square_task, &(uint64_t){1});
    refuse(ex, NULL, &(uint64_t){1});
    refuse(ex, &square_task, NULL);
    task.run = NULL;
    refuse(ex, &task, &(uint64_t){1});

    task = square_task;
    task.arg_size = CF_PAYLOAD_MAX + 1;
    refuse(ex, &task, big);
    task.arg_size = SIZE_MAX;
    refuse(ex, &task, big);
    task = square_task;
    task.result_size = CF_PAYLOAD_MAX + 1;
    refuse(ex, &task, big);
    task.result_size = SIZE_MAX;
    refuse(ex, &task, big);

    cf_future *f = NULL;
    cf_submit_options options = {.retries = CF_RETRIES_MAX + 1};
    EXPECT(CF_EINVAL, cf_executor_submit_with(ex, &square_task, &(uint64_t){1}, &options, &f));
    options.retries = CF_RETRIES_MAX;
    EXPECT(CF_OK, cf_executor_submit_with(ex, &square_task, &(uint64_t){6}, &options, &f));
    EXPECT_EQ(take(f), 36);

    cf_stats stats;
    EXPECT(CF_OK, cf_executor_stats(ex, &stats));
    EXPECT_EQ(stats.submitted, 1);
    cf_executor_destroy(ex);
}

Test(invalid, map) {
    cf_executor *ex = create(2);
    uint64_t args[2] = {1, 2}, results[2];
    cf_task none = square_task, big = square_task;
    none.run = NULL;
    big.arg_size = CF_PAYLOAD_MAX + 1;
    cf_map_options too_often = {.retries = CF_RETRIES_MAX + 1};

    EXPECT(CF_EINVAL, cf_executor_map(NULL, &square_task, args, 2, results, NULL));
    EXPECT(CF_EINVAL, cf_executor_map(ex, NULL, args, 2, results, NULL));
    EXPECT(CF_EINVAL, cf_executor_map(ex, &none, args, 2, results, NULL));
    EXPECT(CF_EINVAL, cf_executor_map(ex, &big, args, 2, results, NULL));
    EXPECT(CF_EINVAL, cf_executor_map(ex, &square_task, NULL, 2, results, NULL));
    EXPECT(CF_EINVAL, cf_executor_map(ex, &square_task, args, 2, NULL, NULL));
    EXPECT(CF_EINVAL, cf_executor_map(ex, &square_task, args, 2, results, &too_often));
    EXPECT(CF_OK, cf_executor_map(ex, &square_task, args, 2, results, NULL));
    EXPECT_EQ(results[1], 4);
    cf_executor_destroy(ex);
}

Test(invalid, as_completed) {
    cf_executor *ex = create(1);
    cf_future *futures[2] = {submit(ex, &square_task, &(uint64_t){1}), NULL};
    cf_as_completed *ac = NULL;
    EXPECT(CF_EINVAL, cf_as_completed_create(futures, 1, NULL));
    EXPECT(CF_EINVAL, cf_as_completed_create(NULL, 1, &ac));
    EXPECT(CF_EINVAL, cf_as_completed_create(futures, 2, &ac));
    cr_assert(ac == NULL);
    EXPECT(CF_OK, cf_as_completed_create(futures, 1, &ac));
    EXPECT(CF_EINVAL, cf_as_completed_next(ac, 0, NULL, NULL));
    EXPECT(CF_EINVAL, cf_as_completed_next(NULL, 0, &futures[1], NULL));
    cf_as_completed_destroy(ac);
    cf_as_completed_destroy(NULL);
    cf_future_release(futures[0]);
    cf_executor_destroy(ex);
}

Test(invalid, questions) {
    cf_executor *ex = create(2);
    cf_stats stats;
    cf_worker_stats worker;
    EXPECT(CF_EINVAL, cf_executor_stats(NULL, &stats));
    EXPECT(CF_EINVAL, cf_executor_stats(ex, NULL));
    EXPECT(CF_EINVAL, cf_executor_worker_stats(ex, 0, NULL));
    EXPECT(CF_EINVAL, cf_executor_worker_stats(ex, workers_of(2), &worker));
    EXPECT(CF_EINVAL, cf_executor_worker_stats(ex, UINT32_MAX, &worker));
    EXPECT(CF_EINVAL, cf_executor_shutdown(NULL, true, false));

    cf_future *f = submit(ex, &square_task, &(uint64_t){1});
    EXPECT(CF_EINVAL, cf_future_result(NULL, 0, NULL));
    EXPECT(CF_EINVAL, cf_future_exception(f, LONG_WAIT, NULL));
    EXPECT(CF_EINVAL, cf_future_info(f, NULL));
    cf_future_release(f);
    cf_executor_destroy(ex);
    cf_executor_destroy(NULL);
}
