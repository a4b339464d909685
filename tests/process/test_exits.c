/* Tasks that end the process that they run in: exit, _exit, exec. In a process pool that is the worker, and
 * costs at most the task; on other executors it is the program. */
#include "process.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(exits, .timeout = TEST_SECONDS);

typedef struct leaving {
    void (*exit)(int code);
    int code;
} leaving;

static int run_leave(const void *arg, void *result, cf_task_context *ctx) {
    (void)result, (void)ctx;
    const leaving *l = arg;
    l->exit(l->code);
    return 0;
}

static const cf_task leave_task = {.run = run_leave, .arg_size = sizeof(leaving)};
static const leaving ways[] = {{exit, 3}, {exit, 0}, {_exit, 4}, {_exit, 0}};

static void expect_exited(cf_future *f, int code) {
    cf_exception why;
    EXPECT(CF_OK, cf_future_exception(f, LONG_WAIT, &why));
    EXPECT_EQ(why.status, CF_EWORKER);
    EXPECT_EQ(why.signal, 0);
    EXPECT_EQ(why.exit_code, code);
    cf_future_release(f);
}

Test(exits, in_a_process_pool_end_the_worker) {
    cf_executor *pool = create_pool(2);
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        expect_exited(submit(pool, &leave_task, &ways[i]), ways[i].code);
        check_works(pool);
    }
    cf_executor_destroy(pool);
}

typedef struct scene {
    create_fn *create;
    leaving way;
} scene;

static int host_whose_task_leaves(void *context) {
    const scene *s = context;
    cf_executor *executor = NULL;
    cf_future *f = NULL;
    HOST_CHECK(s->create(NULL, &executor) == CF_OK);
    HOST_CHECK(cf_executor_submit(executor, &leave_task, &s->way, &f) == CF_OK);
    cf_future_result(f, LONG_WAIT, NULL);
    return 1; /* not reached */
}

static create_fn *const others[] = {cf_serial_create, cf_thread_pool_create};

Test(exits, on_other_executors_end_the_program) {
    for (size_t e = 0; e < COUNT_OF(others); e++) {
        for (size_t i = 0; i < COUNT_OF(ways); i++) {
            scene s = {.create = others[e], .way = ways[i]};
            const int status = host_run(host_whose_task_leaves, &s);
            cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == ways[i].code, "status 0x%x",
                      (unsigned)status);
        }
    }
}

/* ---- exec ------------------------------------------------------------------------------------ */

static int run_exec(const void *arg, void *result, cf_task_context *ctx) {
    (void)result, (void)ctx;
    const char *command = arg;
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    return 1;
}

static const cf_task exec_task = {.run = run_exec, .arg_size = 80};

static cf_future *submit_command(cf_executor *pool, const char *command, int64_t timeout_ns) {
    char arg[80] = "";
    cf_future *f = NULL;
    const cf_submit_options options = {.timeout_ns = timeout_ns};
    strncpy(arg, command, sizeof arg - 1);
    EXPECT(CF_OK, cf_executor_submit_with(pool, &exec_task, arg, &options, &f));
    return f;
}

static int host_whose_task_execs(void *context) {
    static const char command[80] = "exit 7";
    cf_executor *executor = NULL;
    HOST_CHECK((*(create_fn *const *)context)(NULL, &executor) == CF_OK);
    HOST_CHECK(cf_executor_submit(executor, &exec_task, command, NULL) == CF_OK);
    cf_executor_destroy(executor);
    return 1; /* not reached */
}

Test(exits, by_exec_on_other_executors_replace_the_program) {
    for (size_t e = 0; e < COUNT_OF(others); e++) {
        create_fn *create = others[e];
        const int status = host_run(host_whose_task_execs, &create);
        cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7, "status 0x%x", (unsigned)status);
    }
}

/* Also of a program that succeeds: the task itself has no result. */
Test(exits, a_task_that_calls_exec_ends_with_its_program) {
    cf_executor *pool = create_pool(2);
    expect_exited(submit_command(pool, "exit 5", 0), 5);
    expect_exited(submit_command(pool, "exit 0", 0), 0);
    check_works(pool);
    cf_executor_destroy(pool);
}

Test(exits, a_program_that_a_task_has_become_has_the_tasks_time_limit) {
    cf_executor *pool = create_pool(1);
    cf_future *f = submit_command(pool, "sleep 1000", 100 * MILLISECOND);
    EXPECT(CF_EDEADLINE, cf_future_result(f, LONG_WAIT, NULL));
    cf_future_release(f);
    check_works(pool);
    cf_executor_destroy(pool);
}

/* The kernel keeps the signal for the nursery's death over exec. */
Test(exits, a_program_that_a_task_has_become_dies_with_the_nursery) {
    char command[80], byte = 0;
    pid_t pid = 0;
    int told[2]; /* workers inherit it, and so does the program */
    cr_assert_eq(pipe(told), 0);
    snprintf(command, sizeof command, "echo x >/proc/self/fd/%d; sleep 1000", told[1]);
    cf_executor *pool = create_pool(1);
    const pid_t nursery = nursery_of(pool);
    EXPECT_EQ(worker_pids(pool, &pid, 1), 1);
    cf_future *f = submit_command(pool, command, 0);
    EXPECT_EQ(read(told[0], &byte, 1), 1);
    cr_assert_eq(kill(nursery, SIGKILL), 0);
    cr_assert(process_ends(pid, LONG_WAIT));
    EXPECT(CF_EBROKEN, cf_future_result(f, LONG_WAIT, NULL));
    cf_future_release(f);
    cf_executor_destroy(pool);
    close(told[0]);
    close(told[1]);
}

/* ---- exit handlers --------------------------------------------------------------------------- */

static counter *ended;

static void count_end(void) {
    counter_add(ended, 1);
}

static int run_register(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg, (void)result, (void)ctx;
    return atexit(count_end);
}

static uint64_t handlers_run_by_a_worker(bool run_exit_handlers) {
    static const cf_task task = {.run = run_register};
    const cf_pool_options options = {.max_workers = 1, .run_exit_handlers = run_exit_handlers};
    cf_executor *pool = NULL;
    ended = shared_alloc(sizeof *ended);
    EXPECT(CF_OK, cf_process_pool_create(&options, &pool));
    cf_future *f = submit(pool, &task, NULL);
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, NULL));
    cf_future_release(f);
    cf_executor_destroy(pool);
    const uint64_t count = counter_get(ended);
    shared_free(ended, sizeof *ended);
    return count;
}

Test(exits, run_exit_handlers_in_workers_only_if_asked) {
    EXPECT_EQ(handlers_run_by_a_worker(false), 0);
    EXPECT_EQ(handlers_run_by_a_worker(true), 1);
}
