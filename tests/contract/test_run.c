/* A task for which the caller waits at once, and tasks whose argument and result have types. */
#include "rows.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

TestSuite(run, .timeout = TEST_SECONDS);

CF_TASK(typed_square, int, int64_t) {
    *result = (int64_t)*arg * *arg;
    return 0;
}

typedef struct question {
    char
        action; /* 'r' returns, 'e' returns an error, 'd' dies, 'l' is late, 'a' asks for its attempt */
    int32_t value;
} question;

CF_TASK(answer, question, int32_t) {
    const int64_t limit = now_ns() + LONG_WAIT;
    *result = arg->value;
    switch (arg->action) {
    case 'e':
        return arg->value;
    case 'd':
        raise(SIGKILL);
        return 0;
    case 'l':
        while (!cf_task_cancelled(ctx) && now_ns() < limit) {}
        return 0;
    case 'a':
        if (cf_task_attempt(ctx) == 1) {
            raise(SIGKILL);
        }
        *result = (int32_t)cf_task_attempt(ctx);
        return 0;
    default:
        return 0;
    }
}

static void expect_seen(cf_executor *ex) {
    cf_stats stats;
    EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
    EXPECT(CF_OK, cf_executor_stats(ex, &stats));
    EXPECT_EQ(stats.unseen, 0);
    cf_executor_destroy(ex);
}

Test(run, each_call_with_types) {
    enum {
        N = 1000
    };
    int numbers[N];
    int64_t squares[N], r = 0;
    cf_future *f;
    cf_executor *ex = create(2);
    EXPECT(CF_OK, cf_run(ex, typed_square, &(int){-7}, &r));
    EXPECT_EQ(r, 49);
    EXPECT(CF_OK, cf_run(ex, typed_square, &(int){3}, NULL));
    EXPECT(CF_OK, cf_submit(ex, typed_square, &(int){1 << 20}, &f));
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, &r));
    EXPECT_EQ(r, INT64_C(1) << 40);
    char text[100];
    cf_future_describe(f, text, sizeof text);
    cr_assert(strstr(text, "returned int64_t") != NULL, "%s", text);
    cf_future_release(f);
    EXPECT(CF_OK, cf_submit(ex, typed_square, &(int){4}, NULL));
    for (int i = 0; i < N; i++) {
        numbers[i] = i;
    }
    EXPECT(CF_OK, cf_map(ex, typed_square, numbers, N, squares));
    for (int i = 0; i < N; i++) {
        EXPECT_EQ(squares[i], (int64_t)i * i);
    }
    EXPECT(CF_EINVAL, cf_run(ex, typed_square, NULL, &r));
    expect_seen(ex);
}

/* The result is touched by success alone; the exception is told in all cases. */
static cf_exception run_and_fail(cf_executor *ex, const question *q,
                                 const cf_submit_options *options, cf_status wanted) {
    cf_exception exception;
    int32_t result = 17;
    EXPECT(wanted, cf_executor_call(ex, &answer, q, options, &result, &exception));
    EXPECT_EQ(exception.status, wanted);
    EXPECT_EQ(result, 17);
    EXPECT(wanted, cf_executor_call(ex, &answer, q, options, NULL, NULL));
    return exception;
}

Test(run, how_it_ended) {
    cf_executor *ex = create(1);
    cf_exception exception;
    int32_t result = 0;
    EXPECT(CF_OK, cf_executor_call(ex, &answer, &(question){'r', 5}, NULL, &result, &exception));
    EXPECT_EQ(exception.status, CF_OK);
    EXPECT_EQ(result, 5);
    EXPECT_EQ(run_and_fail(ex, &(question){'e', 12}, NULL, CF_ETASK).task_error, 12);
    const cf_submit_options limit = {.timeout_ns = SECOND / 20};
    EXPECT_EQ(run_and_fail(ex, &(question){'l', 0}, &limit, CF_EDEADLINE).timeout_ns, SECOND / 20);
    EXPECT_EQ(run_and_fail(ex, NULL, NULL, CF_EINVAL).worker, -1);
    const cf_submit_options wrong = {.retries = CF_RETRIES_MAX + 1};
    EXPECT_EQ(run_and_fail(ex, &(question){'r', 0}, &wrong, CF_EINVAL).worker, -1);
    EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
    EXPECT_EQ(run_and_fail(ex, &(question){'r', 0}, NULL, CF_ESHUTDOWN).worker, -1);
    EXPECT(CF_EINVAL, cf_executor_call(NULL, &answer, &(question){'r', 0}, NULL, NULL, &exception));
    EXPECT_EQ(exception.status, CF_EINVAL);
    EXPECT(CF_EINVAL, cf_executor_call(ex, NULL, &(question){'r', 0}, NULL, NULL, NULL));
    expect_seen(ex);
}

Test(run, its_worker_dies) {
    NEEDS(survives_worker_death);
    cf_executor *ex = create(1);
    int32_t result = 0;
    EXPECT_EQ(run_and_fail(ex, &(question){'d', 0}, NULL, CF_EWORKER).signal, SIGKILL);
    const cf_submit_options again = {.retries = 1};
    EXPECT(CF_OK, cf_executor_call(ex, &answer, &(question){'a', 0}, &again, &result, NULL));
    EXPECT_EQ(result, 2);
    expect_seen(ex);
}

/* A task that waits for another one of its own executor. */
static int run_inside(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    cf_executor *const *executor = arg;
    int64_t r = 0;
    const cf_status status = cf_run(*executor, typed_square, &(int){9}, &r);
    *(int64_t *)result = r;
    return (int)status;
}

static const cf_task run_inside_task = {.name = "run inside",
                                        .run = run_inside,
                                        .arg_size = sizeof(cf_executor *),
                                        .result_size = sizeof(int64_t)};

Test(run, inside_a_task) {
    NEEDS(shares_memory);
    cf_executor *ex = create(1);
    int64_t r = 0;
    EXPECT(CF_OK, cf_executor_call(ex, &run_inside_task, &ex, NULL, &r, NULL));
    EXPECT_EQ(r, 81);
    expect_seen(ex);
}
