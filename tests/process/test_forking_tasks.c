/* A task, an initializer or a callback forks, and the child returns from it too, as if by a forgotten
 * _exit: the child ends there, and touches nothing. */
#include "process.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(forking_tasks, .timeout = TEST_SECONDS);

static counter *runs; /* shared, one for each item */
static counter *ends; /* children that ended with the status of their run */

enum {
    ITEMS = 200,
    FORKS_AT = 7 /* every so many items */
};

/* Forks; parent and child return. The parent waits for the child first. */
static void fork_and_return(int status) {
    pid_t child = fork();
    int wait_status;
    if (child > 0 && waitpid(child, &wait_status, 0) == child && WIFEXITED(wait_status) &&
        WEXITSTATUS(wait_status) == status) {
        counter_add(ends, 1);
    }
}

static int run_item(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    const uint32_t item = *(const uint32_t *)arg;
    counter_add(&runs[item], 1);
    *(uint32_t *)result = item + 1;
    if (item % FORKS_AT == 0) {
        fork_and_return(0);
    }
    return 0;
}

static const cf_task item_task = {
    .run = run_item, .arg_size = sizeof(uint32_t), .result_size = sizeof(uint32_t)};

static void open_counters(void) {
    runs = shared_alloc(ITEMS * sizeof *runs);
    ends = shared_alloc(sizeof *ends);
}

static void close_counters(void) {
    shared_free(runs, ITEMS * sizeof *runs);
    shared_free(ends, sizeof *ends);
}

static void expect_each_ran_once(const uint32_t *results) {
    for (uint32_t i = 0; i < ITEMS; i++) {
        EXPECT_EQ(counter_get(&runs[i]), 1);
        EXPECT_EQ(results[i], i + 1);
    }
    EXPECT_EQ(counter_get(ends), (ITEMS + FORKS_AT - 1) / FORKS_AT);
}

static void expect_is_as_before(cf_executor *executor) {
    const cf_stats stats = stats_of(executor);
    EXPECT_EQ(stats.pending, 0);
    EXPECT_EQ(stats.running, 0);
    EXPECT_EQ(stats.finished, stats.submitted);
    EXPECT_EQ(stats.restarts, 0);
}

Test(forking_tasks, the_child_ends_when_its_task_returns) {
    for (size_t e = 0; e < COUNT_OF(creates); e++) {
        cf_executor *executor = NULL;
        cf_future *futures[ITEMS];
        uint32_t args[ITEMS], results[ITEMS];
        open_counters();
        EXPECT(CF_OK, creates[e](NULL, &executor));
        for (uint32_t i = 0; i < ITEMS; i++) {
            args[i] = i;
        }
        EXPECT(CF_OK,
               cf_executor_submit_many(executor, &item_task, args, ITEMS, NULL, futures, NULL));
        for (size_t i = 0; i < ITEMS; i++) {
            EXPECT(CF_OK, cf_future_result(futures[i], LONG_WAIT, &results[i]));
            cf_future_release(futures[i]);
        }
        expect_is_as_before(executor);
        cf_executor_destroy(executor);
        expect_each_ran_once(results);
        close_counters();
    }
}

static void map_on(create_fn *create, const cf_map_options *options) {
    cf_executor *executor = NULL;
    uint32_t args[ITEMS], results[ITEMS];
    open_counters();
    EXPECT(CF_OK, create(NULL, &executor));
    for (uint32_t i = 0; i < ITEMS; i++) {
        args[i] = i;
    }
    EXPECT(CF_OK, cf_executor_map(executor, &item_task, args, ITEMS, results, options));
    expect_is_as_before(executor);
    cf_executor_destroy(executor);
    expect_each_ran_once(results);
    close_counters();
}

/* The other items of its chunk are not the child's. */
Test(forking_tasks, the_child_ends_when_its_item_returns) {
    const cf_map_options chunked = {.chunk = 50};
    const cf_map_options limited = {.chunk = 50, .timeout_ns = LONG_WAIT};
    for (size_t e = 0; e < COUNT_OF(creates); e++) {
        map_on(creates[e], &chunked);
        map_on(creates[e], &limited);
    }
}

static int fork_at_begin(void *context, unsigned worker, void **local) {
    (void)context, (void)worker, (void)local;
    fork_and_return(0);
    return 0;
}

static void fork_at_end(void *context, unsigned worker, void *local) {
    (void)context, (void)worker, (void)local;
    fork_and_return(0);
}

Test(forking_tasks, the_child_ends_when_initializer_or_finalizer_returns) {
    const cf_pool_options options = {
        .max_workers = 1, .initializer = fork_at_begin, .finalizer = fork_at_end};
    for (size_t e = 0; e < COUNT_OF(creates); e++) {
        cf_executor *executor = NULL;
        uint32_t arg = 1, result = 0;
        open_counters();
        EXPECT(CF_OK, creates[e](&options, &executor));
        EXPECT(CF_OK, cf_executor_map(executor, &item_task, &arg, 1, &result, NULL));
        cf_executor_destroy(executor);
        EXPECT_EQ(result, 2);
        EXPECT_EQ(counter_get(ends), 2);
        close_counters();
    }
}

static void fork_in_callback(cf_future *future, void *context) {
    (void)future;
    fork_and_return(0);
    counter_add(context, 1);
}

Test(forking_tasks, the_child_ends_when_a_callback_returns) {
    for (size_t e = 0; e < COUNT_OF(creates); e++) {
        cf_executor *executor = NULL;
        uint32_t arg = 1;
        open_counters();
        EXPECT(CF_OK, creates[e](NULL, &executor));
        cf_future *f = submit(executor, &item_task, &arg);
        EXPECT(CF_OK, cf_future_add_done_callback(f, fork_in_callback, &runs[0]));
        cf_future_release(f);
        cf_executor_destroy(executor);
        EXPECT_EQ(counter_get(ends), 1);
        close_counters();
    }
}

/* What a task returns decides about its child's exit status. */
static int run_fail(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg, (void)result, (void)ctx;
    fork_and_return(EXIT_FAILURE);
    return 5;
}

Test(forking_tasks, the_childs_status_says_whether_the_task_failed) {
    static const cf_task task = {.run = run_fail};
    for (size_t e = 0; e < COUNT_OF(creates); e++) {
        cf_executor *executor = NULL;
        open_counters();
        EXPECT(CF_OK, creates[e](NULL, &executor));
        cf_future *f = submit(executor, &task, NULL);
        EXPECT(CF_ETASK, cf_future_result(f, LONG_WAIT, NULL));
        cf_future_release(f);
        cf_executor_destroy(executor);
        EXPECT_EQ(counter_get(ends), 1);
        close_counters();
    }
}

/* ---- children that do not return ------------------------------------------------------------- */

static int run_child(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    const bool execs = *(const bool *)arg;
    const pid_t child = fork();
    if (child == 0) {
        if (execs) {
            execl("/bin/sh", "sh", "-c", "exit 6", (char *)NULL);
        }
        _exit(5);
    }
    int wait_status = 0;
    if (waitpid(child, &wait_status, 0) != child || !WIFEXITED(wait_status)) {
        return ECHILD;
    }
    *(int *)result = WEXITSTATUS(wait_status);
    return 0;
}

Test(forking_tasks, the_child_may_exec_or_exit) {
    static const cf_task task = {
        .run = run_child, .arg_size = sizeof(bool), .result_size = sizeof(int)};
    for (size_t e = 0; e < COUNT_OF(creates); e++) {
        cf_executor *executor = NULL;
        EXPECT(CF_OK, creates[e](NULL, &executor));
        for (int i = 0; i < 10; i++) {
            int code = 0;
            cf_future *f = submit(executor, &task, &(bool){i % 2 == 0});
            EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, &code));
            EXPECT_EQ(code, i % 2 == 0 ? 6 : 5);
            cf_future_release(f);
        }
        expect_is_as_before(executor);
        cf_executor_destroy(executor);
    }
}
