/* Workers work the same whatever signals and standard streams the caller has, and what they do to
 * their own does not touch the caller's. */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(surroundings, .timeout = TEST_SECONDS);

static void handle(int signal) {
    (void)signal;
}

/* ---- signals --------------------------------------------------------------------------------- */

/* Gives the first signal that is not as the header says, or 0. */
static int run_look_at_signals(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg;
    (void)ctx;
    sigset_t blocked;
    sigprocmask(SIG_BLOCK, NULL, &blocked);
    for (int s = 1; s < 32; s++) {
        struct sigaction action;
        sigaction(s, NULL, &action);
        bool ignored = s == SIGINT || s == SIGQUIT || s == SIGHUP || s == SIGTTIN || s == SIGTTOU;
        bool right = action.sa_handler == (ignored ? SIG_IGN : SIG_DFL);
        if (sigismember(&blocked, s) || !right) {
            *(int *)result = s;
            break;
        }
    }
    return 0;
}

static int host_with_handlers(void *context) {
    (void)context;
    static const cf_task look_task = {.run = run_look_at_signals, .result_size = sizeof(int)};
    sigset_t all;
    sigfillset(&all);
    for (int s = 1; s < 32; s++) {
        signal(s, s % 2 ? handle : SIG_IGN);
    }
    sigprocmask(SIG_SETMASK, &all, NULL);
    cf_executor *pool = NULL;
    cf_future *f = NULL;
    int odd = -1;
    HOST_CHECK(cf_process_pool_create(&(cf_pool_options){.max_workers = 1}, &pool) == CF_OK);
    HOST_CHECK(cf_executor_submit(pool, &look_task, NULL, &f) == CF_OK);
    HOST_CHECK(cf_future_result(f, LONG_WAIT, &odd) == CF_OK);
    if (odd != 0) {
        fprintf(stderr, "signal %d is not as it should be in a worker\n", odd);
    }
    HOST_CHECK(odd == 0);
    cf_future_release(f);
    sigset_t now;
    sigprocmask(SIG_SETMASK, NULL, &now); /* the caller's own are left alone */
    for (int s = 1; s < 32; s++) {
        struct sigaction action;
        sigaction(s, NULL, &action);
        HOST_CHECK(s == SIGKILL || s == SIGSTOP || sigismember(&now, s) == 1);
        HOST_CHECK(s == SIGKILL || s == SIGSTOP || action.sa_handler == (s % 2 ? handle : SIG_IGN));
    }
    cf_executor_destroy(pool);
    return 0;
}

Test(surroundings, workers_start_with_signals_at_default) {
    EXPECT_HOST_OK(host_run(host_with_handlers, NULL));
}

Test(surroundings, ctrl_c_is_the_callers_business) {
    static const int signals[] = {SIGINT, SIGQUIT, SIGHUP};
    counter *c = shared_alloc(3 * sizeof *c);
    cf_executor *pool = create_pool(2);
    pid_t nursery = nursery_of(pool);
    blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2], .value = 3};
    cf_future *futures[2] = {submit(pool, &blocker_task, &b), submit(pool, &blocker_task, &b)};
    cr_assert(counter_wait(&c[0], 2));
    pid_t pids[2];
    EXPECT_EQ(worker_pids(pool, pids, 2), 2);
    for (size_t i = 0; i < COUNT_OF(signals); i++) {
        cr_assert_eq(kill(pids[0], signals[i]), 0);
        cr_assert_eq(kill(pids[1], signals[i]), 0);
        cr_assert_eq(kill(nursery, signals[i]), 0);
    }
    cr_assert_eq(kill(nursery, SIGTERM), 0);
    counter_add(&c[1], 1);
    for (size_t i = 0; i < 2; i++) {
        cf_info info;
        uint64_t value = 0;
        EXPECT(CF_OK, cf_future_result(futures[i], LONG_WAIT, &value));
        EXPECT_EQ(value, 3);
        EXPECT(CF_OK, cf_future_info(futures[i], &info));
        EXPECT_EQ(info.attempts, 1);
        cf_future_release(futures[i]);
    }
    check_works(pool);
    EXPECT_EQ(stats_of(pool).restarts, 0);
    EXPECT_EQ(nursery_of(pool), nursery);
    cf_executor_destroy(pool);
    shared_free(c, 3 * sizeof *c);
}

Test(surroundings, a_stopped_worker_delays_its_task_only) {
    counter *c = shared_alloc(3 * sizeof *c);
    cf_executor *pool = create_pool(2);
    blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2], .value = 3};
    cf_future *f = submit(pool, &blocker_task, &b);
    cr_assert(counter_wait(&c[0], 1));
    cf_info info;
    cf_worker_stats worker;
    EXPECT(CF_OK, cf_future_info(f, &info));
    EXPECT(CF_OK, cf_executor_worker_stats(pool, (unsigned)info.worker, &worker));
    cr_assert(worker.id > 1);
    cr_assert_eq(kill((pid_t)worker.id, SIGSTOP), 0);
    check_works(pool);
    counter_add(&c[1], 1);
    EXPECT(CF_ETIMEDOUT, cf_future_result(f, 50 * MILLISECOND, NULL));
    cr_assert_eq(kill((pid_t)worker.id, SIGCONT), 0);
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, NULL));
    EXPECT_EQ(stats_of(pool).restarts, 0);
    cf_future_release(f);
    cf_executor_destroy(pool);
    shared_free(c, 3 * sizeof *c);
}

/* ---- standard streams, globals --------------------------------------------------------------- */

static int run_print(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg;
    (void)ctx;
    char c;
    printf("not a whole line");
    *(ssize_t *)result = read(STDIN_FILENO, &c, 1);
    return 0;
}

static int host_with_streams(void *context) {
    (void)context;
    static const cf_task print_task = {.run = run_print, .result_size = sizeof(ssize_t)};
    int in[2], out[2];
    HOST_CHECK(pipe(in) == 0 && pipe(out) == 0);
    HOST_CHECK(write(in[1], "x", 1) == 1);
    HOST_CHECK(dup2(in[0], STDIN_FILENO) >= 0 && dup2(out[1], STDOUT_FILENO) >= 0);
    HOST_CHECK(fcntl(out[0], F_SETFL, O_NONBLOCK) == 0);
    printf("of the caller, unflushed;"); /* must not come out of each worker too */
    cf_executor *pool = NULL;
    HOST_CHECK(cf_process_pool_create(&(cf_pool_options){.max_workers = 1}, &pool) == CF_OK);
    cf_future *f = NULL;
    ssize_t got = -2;
    HOST_CHECK(cf_executor_submit(pool, &print_task, NULL, &f) == CF_OK);
    HOST_CHECK(cf_future_result(f, LONG_WAIT, &got) == CF_OK);
    HOST_CHECK(got == 0); /* end of file: the byte in the pipe is the caller's */
    cf_future_release(f);
    char text[200] = "";
    HOST_CHECK(read(out[0], text, sizeof text - 1) > 0);
    HOST_CHECK(strstr(text, "not a whole line") != NULL);
    cf_executor_destroy(pool);
    fflush(stdout);
    ssize_t more = read(out[0], text + strlen(text), sizeof text - 1 - strlen(text));
    HOST_CHECK(more >= 0 || errno == EAGAIN);
    char *first = strstr(text, "of the caller");
    HOST_CHECK(first && !strstr(first + 1, "of the caller"));
    char c = 0;
    HOST_CHECK(read(STDIN_FILENO, &c, 1) == 1 && c == 'x');
    return 0;
}

Test(surroundings, streams_are_the_workers_own) {
    EXPECT_HOST_OK(host_run(host_with_streams, NULL));
}

static int of_this_moment = 1;

static int run_global(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg;
    (void)ctx;
    *(int *)result = of_this_moment;
    of_this_moment = -1;
    return 0;
}

Test(surroundings, workers_have_a_snapshot_of_globals) {
    static const cf_task task = {.run = run_global, .result_size = sizeof(int)};
    of_this_moment = 2;
    cf_executor *pool = create_pool(1);
    of_this_moment = 3;
    int seen = 0;
    cf_future *f = submit(pool, &task, NULL);
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, &seen));
    EXPECT_EQ(seen, 2);
    EXPECT_EQ(of_this_moment, 3);
    cf_future_release(f);
    cf_executor_destroy(pool);
}

static int run_dereference(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    *(int *)result = **(int *const *)arg;
    return 0;
}

/* Of the program's own memory a worker has a copy, as it was when the pool was made. */
Test(surroundings, a_pointer_is_good_for_shared_memory_only) {
    static const cf_task task = {
        .run = run_dereference, .arg_size = sizeof(int *), .result_size = sizeof(int)};
    int *places[] = {calloc(1, sizeof(int)), shared_alloc(sizeof(int))};
    static const int seen_by_worker[] = {1, 2};
    *places[0] = *places[1] = 1;
    cf_executor *pool = create_pool(1);
    *places[0] = *places[1] = 2;
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        int seen = 0;
        cf_future *f = submit(pool, &task, &places[i]);
        EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, &seen));
        EXPECT_EQ(seen, seen_by_worker[i]);
        cf_future_release(f);
    }
    cf_executor_destroy(pool);
    free(places[0]);
    shared_free(places[1], sizeof(int));
}

Test(surroundings, workers_are_others_children) {
    size_t children = child_count();
    cf_executor *pool = create_pool(3);
    check_works(pool);
    EXPECT_EQ(child_count(), children + 1); /* the nursery */
    cf_executor_destroy(pool);
    EXPECT_EQ(child_count(), children);
}

/* Standard streams closed: descriptors 0 to 2 may then be the library's own. */
static int host_without_streams(void *context) {
    (void)context;
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    return live_through_deaths();
}

Test(surroundings, standard_streams_may_be_closed) {
    EXPECT_HOST_OK(host_run(host_without_streams, NULL));
}
