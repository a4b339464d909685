/* Threads of the program that pthread_cancel ends while they are in a call of the library: no lock stays
 * taken, no place stays reserved. */
#include "process.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

TestSuite(cancelled_threads, .timeout = TEST_SECONDS);

enum {
    PAYLOAD = 200000 /* so large that the arena grows with each */
};

static cf_executor *executor;

static int run_first_byte(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    *(char *)result = *(const char *)arg;
    return 0;
}

static const cf_task large_task = {.run = run_first_byte, .arg_size = PAYLOAD, .result_size = 1};

static void *submit_for_ever(void *arg) {
    for (;;) {
        cf_future *f = NULL;
        if (cf_executor_submit(executor, &square_task, &(uint64_t){2}, &f) == CF_OK) {
            cf_future_release(f);
        }
        if (cf_executor_submit(executor, &large_task, arg, &f) == CF_OK) {
            cf_future_release(f);
        }
        pthread_testcancel();
    }
    return NULL;
}

/* At moments of chance, in pools that still start their workers. */
Test(cancelled_threads, submit_leaves_no_lock_behind) {
    uint64_t seed = test_seed("cancelled_threads/submit_leaves_no_lock_behind");
    char *arg = calloc(1, PAYLOAD);
    for (size_t e = 0; e < COUNT_OF(creates); e++) {
        for (size_t round = scaled(40); round > 0; round--) {
            pthread_t threads[2];
            EXPECT(CF_OK, creates[e](NULL, &executor));
            for (size_t i = 0; i < 2; i++) {
                cr_assert_eq(pthread_create(&threads[i], NULL, submit_for_ever, arg), 0);
            }
            spin_for((int64_t)(random_next(&seed) % (2 * MILLISECOND)));
            for (size_t i = 0; i < 2; i++) {
                cr_assert_eq(pthread_cancel(threads[i]), 0);
            }
            for (size_t i = 0; i < 2; i++) {
                cr_assert_eq(pthread_join(threads[i], NULL), 0);
            }
            check_works(executor);
            cf_executor_destroy(executor);
        }
    }
    free(arg);
}

/* ---- a cancellation that is pending when the call begins -------------------------------------- */

static create_fn *create; /* what the thread calls */

static void *create_cancelled(void *arg) {
    pthread_cancel(pthread_self());
    EXPECT(CF_OK, create(NULL, &executor));
    return arg;
}

static void *submit_cancelled(void *arg) {
    pthread_cancel(pthread_self());
    EXPECT(CF_OK, cf_executor_submit(executor, &large_task, arg, NULL));
    return arg;
}

static void *wait_cancelled(void *arg) {
    cf_future *f = submit(executor, &square_task, &(uint64_t){3});
    uint64_t square = 0;
    pthread_cancel(pthread_self());
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, &square));
    cf_future_release(f);
    return square == 9 ? arg : NULL;
}

static void *shut_down_cancelled(void *arg) {
    pthread_cancel(pthread_self());
    EXPECT(CF_OK, cf_executor_shutdown(executor, true, false));
    return arg;
}

static void *destroy_cancelled(void *arg) {
    pthread_cancel(pthread_self());
    cf_executor_destroy(executor);
    return arg;
}

/* The call returns as without it: it is not a cancellation point. */
static void expect_returns(const char *name, void *(*body)(void *), void *arg) {
    pthread_t thread;
    void *returned = NULL;
    cr_assert_eq(pthread_create(&thread, NULL, body, arg), 0);
    cr_assert_eq(pthread_join(thread, &returned), 0);
    cr_assert(returned == arg, "%s: cancelled in the call", name);
}

Test(cancelled_threads, no_call_is_a_cancellation_point) {
    char *arg = calloc(1, PAYLOAD);
    for (size_t e = 0; e < COUNT_OF(creates); e++) {
        create = creates[e];
        expect_returns("create_cancelled", create_cancelled, arg);
        expect_returns("submit_cancelled", submit_cancelled, arg);
        expect_returns("wait_cancelled", wait_cancelled, arg);
        check_works(executor);
        expect_returns("shut_down_cancelled", shut_down_cancelled, arg);
        expect_returns("destroy_cancelled", destroy_cancelled, arg);
    }
    free(arg);
}

/* ---- tasks that end their thread --------------------------------------------------------------- */

static int run_leave(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg, (void)result, (void)ctx;
    pthread_exit(NULL);
}

/* The tasks that the worker had claimed are run too. */
Test(cancelled_threads, a_task_may_end_its_thread) {
    static const cf_task leave_task = {.run = run_leave};
    for (unsigned workers = 1; workers <= 3; workers++) {
        cf_future *leaving[20], *f[20];
        EXPECT(CF_OK, cf_thread_pool_create(&(cf_pool_options){.max_workers = workers}, &executor));
        for (uint64_t i = 0; i < COUNT_OF(f); i++) {
            leaving[i] = submit(executor, &leave_task, NULL);
            f[i] = submit(executor, &square_task, &i);
        }
        for (uint64_t i = 0; i < COUNT_OF(f); i++) {
            uint64_t square = 0;
            cf_exception why;
            EXPECT(CF_OK, cf_future_exception(leaving[i], LONG_WAIT, &why));
            cr_assert(why.status == CF_ETASK && why.task_error == ECANCELED);
            EXPECT(CF_OK, cf_future_result(f[i], LONG_WAIT, &square));
            EXPECT_EQ(square, i * i);
            cf_future_release(leaving[i]);
            cf_future_release(f[i]);
        }
        check_works(executor);
        EXPECT(CF_OK, cf_executor_shutdown(executor, true, false));
        const cf_stats stats = stats_of(executor);
        EXPECT_EQ(stats.restarts, COUNT_OF(f));
        EXPECT_EQ(stats.running, 0);
        EXPECT_EQ(stats.finished, stats.submitted);
        cf_executor_destroy(executor);
    }
}
