/* Threads of the program that pthread_cancel ends while they are in a call of the library: no lock stays
 * taken, no place stays reserved. */
#include "process.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
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

/* ---- a cancellation that comes while the call waits -------------------------------------------- */

static counter *scene; /* begun, gate, ran */

typedef struct waiting {
    cf_future *future;       /* of a task that waits for the gate */
    _Atomic pid_t thread_id; /* of the thread that waits for it */
} waiting;

static cf_status wait_for_result(cf_future *f) {
    return cf_future_result(f, LONG_WAIT, NULL);
}

static cf_status wait_for_exception(cf_future *f) {
    cf_exception why;
    return cf_future_exception(f, LONG_WAIT, &why);
}

static cf_status wait_for_all(cf_future *f) {
    return cf_wait(&f, 1, CF_ALL_COMPLETED, LONG_WAIT, NULL);
}

static cf_status wait_for_next(cf_future *f) {
    cf_as_completed *all = NULL;
    cf_future *done = NULL;
    EXPECT(CF_OK, cf_as_completed_create(&f, 1, &all));
    const cf_status status = cf_as_completed_next(all, LONG_WAIT, &done, NULL);
    cf_as_completed_destroy(all);
    return status;
}

static const blocker *blocked_item(void) {
    static blocker b;
    b = (blocker){.begun = &scene[0], .gate = &scene[1], .ran = &scene[2]};
    return &b;
}

static cf_status wait_for_map(cf_future *f) {
    (void)f;
    uint64_t value;
    return cf_executor_map(executor, &blocker_task, blocked_item(), 1, &value, NULL);
}

static cf_source_answer give_blocked_item(void *context, void *arg) {
    int *given = context;
    memcpy(arg, blocked_item(), sizeof(blocker));
    return (*given)++ == 0 ? CF_SOURCE_ITEM : CF_SOURCE_END;
}

static cf_status wait_for_stream(cf_future *f) {
    (void)f;
    cf_stream *stream = NULL;
    cf_stream_item item;
    int given = 0;
    EXPECT(CF_OK,
           cf_stream_open(executor, &blocker_task, give_blocked_item, &given, NULL, &stream));
    const cf_status status = cf_stream_next(stream, LONG_WAIT, &item);
    cf_stream_close(stream);
    return status;
}

/* The blocked task runs, and one more is all that may be pending. */
static cf_status wait_for_room(cf_future *f) {
    (void)f;
    cf_executor_submit(executor, &square_task, &(uint64_t){1}, NULL);
    return cf_executor_submit(executor, &square_task, &(uint64_t){1}, NULL);
}

static cf_status wait_for_end(cf_future *f) {
    (void)f;
    return cf_executor_shutdown(executor, true, false);
}

static cf_status (*const waits[])(cf_future *) = {
    wait_for_result, wait_for_exception, wait_for_all,  wait_for_next,
    wait_for_map,    wait_for_stream,    wait_for_room, wait_for_end};
static cf_status (*wait_now)(cf_future *);

static void *wait_in_thread(void *arg) {
    waiting *w = arg;
    atomic_store(&w->thread_id, (pid_t)syscall(SYS_gettid));
    EXPECT(CF_OK, wait_now(w->future));
    return arg;
}

/* It has nothing to sleep for but the end of its wait. */
static void await_sleep(pid_t thread) {
    char path[64], state = '?';
    const int64_t end_ns = now_ns() + LONG_WAIT;
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread);
    while (state != 'S') {
        FILE *f = fopen(path, "re");
        cr_assert(f != NULL && now_ns() < end_ns);
        cr_assert_eq(fscanf(f, "%*d (%*[^)]) %c", &state), 1);
        fclose(f);
    }
}

static void expect_wait_goes_on(create_fn *make) {
    const cf_pool_options options = {.max_workers = 1, .max_pending = 1};
    waiting w = {0};
    pthread_t thread;
    void *returned = NULL;
    scene = shared_alloc(3 * sizeof *scene);
    EXPECT(CF_OK, make(&options, &executor));
    w.future = submit(executor, &blocker_task, blocked_item());
    cr_assert(counter_wait(&scene[0], 1));
    cr_assert_eq(pthread_create(&thread, NULL, wait_in_thread, &w), 0);
    while (atomic_load(&w.thread_id) == 0) {
        sched_yield();
    }
    await_sleep(atomic_load(&w.thread_id));
    cr_assert_eq(pthread_cancel(thread), 0);
    counter_add(&scene[1], 1);
    cr_assert_eq(pthread_join(thread, &returned), 0);
    cr_assert(returned == &w, "cancelled while it waited");
    cf_future_release(w.future);
    cf_executor_destroy(executor);
    shared_free(scene, 3 * sizeof *scene);
}

Test(cancelled_threads, a_wait_goes_on) {
    for (size_t i = 0; i < COUNT_OF(waits); i++) {
        wait_now = waits[i];
        expect_wait_goes_on(cf_thread_pool_create);
        expect_wait_goes_on(cf_process_pool_create);
    }
}

/* ---- tasks that end their thread --------------------------------------------------------------- */

static int run_leave(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg, (void)result, (void)ctx;
    pthread_exit(NULL);
}

/* The tasks that the worker had claimed are run too. */
static void expect_workers_replaced(create_fn *make, unsigned workers) {
    static const cf_task leave_task = {.run = run_leave};
    cf_future *leaving[20], *f[20];
    EXPECT(CF_OK, make(&(cf_pool_options){.max_workers = workers}, &executor));
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
    cr_assert(stats.restarts + workers >= COUNT_OF(f)); /* none for the last ones of processes */
    EXPECT_EQ(stats.running, 0);
    EXPECT_EQ(stats.finished, stats.submitted);
    cf_executor_destroy(executor);
}

Test(cancelled_threads, a_task_may_end_its_thread) {
    for (unsigned workers = 1; workers <= 3; workers++) {
        expect_workers_replaced(cf_thread_pool_create, workers);
        expect_workers_replaced(cf_process_pool_create, workers);
    }
}

static void *live_for_ever(void *arg) {
    for (;;) {
        pause();
    }
    return arg;
}

static int run_leave_others(const void *arg, void *result, cf_task_context *ctx) {
    pthread_t other;
    const int error = pthread_create(&other, NULL, live_for_ever, NULL);
    return error != 0 ? error : run_leave(arg, result, ctx);
}

/* The worker process ends all the same. */
Test(cancelled_threads, a_task_may_end_its_thread_beside_others) {
    static const cf_task task = {.run = run_leave_others};
    executor = create_pool(1);
    for (int i = 0; i < 3; i++) {
        cf_future *f = submit(executor, &task, NULL);
        EXPECT(CF_ETASK, cf_future_result(f, LONG_WAIT, NULL));
        cf_future_release(f);
        check_works(executor);
    }
    cf_executor_destroy(executor);
}

enum {
    ITEMS = 12,
    CHUNK = 4
};

/* The second item of each chunk leaves. */
static int run_leave_at_second(const void *arg, void *result, cf_task_context *ctx) {
    const uint64_t item = *(const uint64_t *)arg;
    if (item % CHUNK == 1) {
        run_leave(arg, result, ctx);
    }
    *(uint64_t *)result = item * item;
    return 0;
}

static const cf_task leave_at_second_task = {
    .run = run_leave_at_second, .arg_size = sizeof(uint64_t), .result_size = sizeof(uint64_t)};

static void expect_item_lost(const cf_exception *why) {
    EXPECT_EQ(why->status, CF_ETASK);
    EXPECT_EQ(why->task_error, ECANCELED);
}

Test(cancelled_threads, an_item_that_ends_its_thread_costs_its_chunk) {
    const cf_pool_options options = {.max_workers = 2};
    uint64_t args[ITEMS], results[ITEMS];
    cf_exception why[ITEMS];
    const cf_map_options chunked = {.chunk = CHUNK, .exceptions = why};
    for (uint64_t i = 0; i < ITEMS; i++) {
        args[i] = i < CHUNK ? i : i * CHUNK; /* one chunk has an item that leaves */
    }
    EXPECT(CF_OK, cf_thread_pool_create(&options, &executor));
    EXPECT(CF_ETASK,
           cf_executor_map(executor, &leave_at_second_task, args, ITEMS, results, &chunked));
    for (size_t i = 0; i < ITEMS; i++) {
        if (i < CHUNK) {
            expect_item_lost(&why[i]);
        } else {
            EXPECT_EQ(why[i].status, CF_OK);
            EXPECT_EQ(results[i], args[i] * args[i]);
        }
    }
    check_works(executor);
    cf_executor_destroy(executor);
}
