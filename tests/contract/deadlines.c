#include "deadlines.h"

#include <errno.h>
#include <sched.h>

cf_future *submit_limited(cf_executor *ex, const cf_task *task, const void *arg,
                          cf_submit_options options) {
    cf_future *future = NULL;
    EXPECT(CF_OK, cf_executor_submit_with(ex, task, arg, &options, &future));
    return future;
}

void expect_over_its_time(cf_future *future, int64_t limit_ns) {
    uint64_t untouched = 42;
    cf_exception why;
    EXPECT(CF_EDEADLINE, cf_future_result(future, LONG_WAIT, &untouched));
    EXPECT_EQ(untouched, 42);
    EXPECT(CF_OK, cf_future_exception(future, 0, &why));
    EXPECT(CF_EDEADLINE, why.status);
    EXPECT_EQ(why.timeout_ns, limit_ns);
    EXPECT_EQ(cf_future_state(future), CF_FINISHED);
    cr_assert_not(cf_future_cancel(future));
}

int run_until_cancelled(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg;
    const int64_t end = now_ns() + LONG_WAIT;
    while (!cf_task_cancelled(ctx)) {
        if (now_ns() > end) {
            return ETIMEDOUT;
        }
        sched_yield();
    }
    *(uint64_t *)result = 7;
    return 0;
}

const cf_task until_cancelled_task = {
    .name = "until cancelled", .run = run_until_cancelled, .result_size = sizeof(uint64_t)};

static int run_spin(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    const spin *s = arg;
    spin_for(s->ns);
    *(uint64_t *)result = s->value;
    return s->error;
}

const cf_task spin_task = {
    .name = "spin", .run = run_spin, .arg_size = sizeof(spin), .result_size = sizeof(uint64_t)};
