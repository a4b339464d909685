/* The error number that a task returns arrives unchanged, beside the status CF_ETASK. A task that failed has
 * no result, and other tasks are not affected. */
#include "rows.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

TestSuite(errors, .timeout = TEST_SECONDS);

Test(errors, the_number_arrives) {
    static const int numbers[] = {1, ENOENT, 200, 1000, 65536, -1, INT_MAX, INT_MIN};
    cf_executor *ex = create(2);
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        cf_future *f = submit(ex, &error_task, &numbers[i]);
        cf_exception why;
        EXPECT(CF_ETASK, cf_future_result(f, LONG_WAIT, NULL));
        EXPECT(CF_OK, cf_future_exception(f, 0, &why));
        EXPECT_EQ(why.status, CF_ETASK);
        EXPECT_EQ(why.task_error, numbers[i]);
        EXPECT_EQ(why.signal, 0);
        EXPECT_EQ(why.exit_code, 0);
        cr_assert(why.worker >= 0 && why.worker < (int)workers_of(2));
        EXPECT_EQ(cf_future_state(f), CF_FINISHED);
        cf_future_release(f);
    }
    cf_stats stats;
    EXPECT(CF_OK, cf_executor_stats(ex, &stats));
    EXPECT_EQ(stats.finished, COUNT_OF(numbers));
    EXPECT_EQ(stats.failed, COUNT_OF(numbers));
    cf_executor_destroy(ex);
}

static int run_write_then_fail(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg;
    (void)ctx;
    memset(result, 0xEE, 64);
    return EIO;
}

Test(errors, a_failed_task_gives_no_result) {
    static const cf_task task = {.run = run_write_then_fail, .result_size = 64};
    cf_executor *ex = create(1);
    unsigned char result[64], untouched[64];
    memset(result, 0x11, sizeof result);
    memset(untouched, 0x11, sizeof untouched);
    cf_future *f = submit(ex, &task, NULL);
    EXPECT(CF_ETASK, cf_future_result(f, LONG_WAIT, result));
    cr_assert(memcmp(result, untouched, sizeof result) == 0);
    cf_future_release(f);
    cf_executor_destroy(ex);
}

Test(errors, success_is_an_exception_of_status_ok) {
    cf_executor *ex = create(2);
    cf_future *f = submit(ex, &square_task, &(uint64_t){2});
    cf_exception why;
    memset(&why, 0xFF, sizeof why);
    EXPECT(CF_OK, cf_future_exception(f, LONG_WAIT, &why));
    EXPECT_EQ(why.status, CF_OK);
    EXPECT_EQ(why.task_error, 0);
    EXPECT_EQ(why.signal, 0);
    EXPECT_EQ(why.exit_code, 0);
    cr_assert(why.worker >= 0 && why.worker < (int)workers_of(2));
    cf_future_release(f);
    cf_executor_destroy(ex);
}

Test(errors, one_failure_leaves_the_others_alone) {
    enum {
        N = 500
    };
    cf_future *good[N], *bad[N];
    cf_executor *ex = create(2);
    for (uint64_t i = 0; i < N; i++) {
        good[i] = submit(ex, &square_task, &i);
        bad[i] = submit(ex, &error_task, &(int){(int)i + 1});
    }
    for (uint64_t i = 0; i < N; i++) {
        cf_exception why;
        EXPECT(CF_OK, cf_future_exception(bad[i], LONG_WAIT, &why));
        EXPECT_EQ(why.task_error, i + 1);
        cf_future_release(bad[i]);
        EXPECT_EQ(take(good[i]), i * i);
    }
    cf_executor_destroy(ex);
}
