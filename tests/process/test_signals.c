/* Signals: what workers, threads and the nursery let through, and the options that change it. */
#include "process.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(signals, .timeout = TEST_SECONDS);

/* ---- threads --------------------------------------------------------------------------------- */

/* Bits of the signals from 1 to 31 that the task's thread blocks. */
static int run_mask(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg, (void)ctx;
    sigset_t blocked;
    uint32_t bits = 0;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    for (int s = 1; s < 32; s++) {
        bits |= sigismember(&blocked, s) == 1 ? UINT32_C(1) << s : 0;
    }
    *(uint32_t *)result = bits;
    return 0;
}

static const cf_task mask_task = {.run = run_mask, .result_size = sizeof(uint32_t)};

static uint32_t mask_in(create_fn *create, const cf_pool_options *options) {
    cf_executor *pool = NULL;
    uint32_t mask = 0;
    EXPECT(CF_OK, create(options, &pool));
    cf_future *f = submit(pool, &mask_task, NULL);
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, &mask));
    cf_future_release(f);
    cf_executor_destroy(pool);
    return mask;
}

static uint32_t bits_of(const int *signals, size_t count) {
    uint32_t bits = 0;
    for (size_t i = 0; i < count; i++) {
        bits |= UINT32_C(1) << signals[i];
    }
    return bits;
}

Test(signals, threads_block_all_but_those_of_their_own_doing) {
    static const int open[] = {SIGSEGV, SIGBUS,  SIGFPE,  SIGILL, SIGTRAP,
                               SIGSYS,  SIGPROF, SIGKILL, SIGSTOP};
    EXPECT_EQ(mask_in(cf_thread_pool_create, NULL), ~bits_of(open, COUNT_OF(open)) & ~UINT32_C(1));
}

Test(signals, workers_keep_the_mask_if_asked) {
    static const int blocked[] = {SIGUSR1, SIGALRM};
    const cf_pool_options keep = {.max_workers = 1, .keep_signal_mask = true};
    sigset_t mask, before;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    sigaddset(&mask, SIGALRM);
    pthread_sigmask(SIG_SETMASK, &mask, &before);
    EXPECT_EQ(mask_in(cf_thread_pool_create, &keep), bits_of(blocked, 2));
    EXPECT_EQ(mask_in(cf_process_pool_create, &keep), bits_of(blocked, 2));
    EXPECT_EQ(mask_in(cf_process_pool_create, NULL), 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void report_crash(int number) {
    (void)number;
    _exit(77);
}

static int run_crash(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg, (void)result, (void)ctx;
    raise(SIGSEGV); /* as a fault does, it goes to this thread */
    return 0;
}

static int host_with_crash_reporter(void *context) {
    static const cf_task crash_task = {.run = run_crash};
    cf_executor *pool = NULL;
    HOST_CHECK(signal(SIGSEGV, report_crash) != SIG_ERR);
    HOST_CHECK((*(create_fn **)context)(NULL, &pool) == CF_OK);
    HOST_CHECK(cf_executor_submit(pool, &crash_task, NULL, NULL) == CF_OK);
    cf_executor_destroy(pool);
    return 1;
}

Test(signals, a_crash_reporter_sees_a_fault_in_a_threads_task) {
    create_fn *create = cf_thread_pool_create;
    const int status = host_run(host_with_crash_reporter, &create);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 77, "wait status 0x%x", (unsigned)status);
}

static pthread_t first_thread;
static volatile sig_atomic_t samples_elsewhere;

static void take_sample(int number) {
    (void)number;
    samples_elsewhere += !pthread_equal(pthread_self(), first_thread);
}

static int run_until_sampled(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg, (void)result;
    while (samples_elsewhere == 0 && !cf_task_cancelled(ctx)) {}
    return 0;
}

Test(signals, a_profiler_sees_a_threads_task) {
    static const cf_task task = {.run = run_until_sampled};
    const struct itimerval tick = {{0, 1000}, {0, 1000}}, none = {0};
    const cf_submit_options limited = {.timeout_ns = 20 * SECOND};
    cf_executor *pool = NULL;
    cf_future *f = NULL;
    first_thread = pthread_self();
    cr_assert(signal(SIGPROF, take_sample) != SIG_ERR);
    EXPECT(CF_OK, cf_thread_pool_create(NULL, &pool));
    cr_assert_eq(setitimer(ITIMER_PROF, &tick, NULL), 0);
    EXPECT(CF_OK, cf_executor_submit_with(pool, &task, NULL, &limited, &f));
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, NULL));
    cr_assert_eq(setitimer(ITIMER_PROF, &none, NULL), 0);
    cf_future_release(f);
    cf_executor_destroy(pool);
}

/* ---- programs that tasks start ---------------------------------------------------------------- */

extern char **environ;

/* Starts a shell that sends itself a SIGTERM. Gives the signal that it died of; 0 = it exited. */
static int run_spawn(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    char *const words[] = {"sh", "-c", "kill -TERM $$; exit 5", NULL};
    posix_spawnattr_t attributes;
    sigset_t none;
    pid_t pid;
    int status = 0;
    sigemptyset(&none);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, *(const bool *)arg ? POSIX_SPAWN_SETSIGMASK : 0);
    const int error = posix_spawn(&pid, "/bin/sh", NULL, &attributes, words, environ);
    posix_spawnattr_destroy(&attributes);
    if (error != 0 || waitpid(pid, &status, 0) != pid) {
        return error != 0 ? error : ECHILD;
    }
    *(int *)result = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    return WIFSIGNALED(status) || WEXITSTATUS(status) == 5 ? 0 : EINVAL;
}

static int end_of_spawned(create_fn *create, const cf_pool_options *options, bool sets_mask) {
    static const cf_task task = {
        .run = run_spawn, .arg_size = sizeof(bool), .result_size = sizeof(int)};
    cf_executor *pool = NULL;
    int number = -1;
    EXPECT(CF_OK, create(options, &pool));
    cf_future *f = submit(pool, &task, &sets_mask);
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, &number));
    cf_future_release(f);
    cf_executor_destroy(pool);
    return number;
}

Test(signals, a_program_that_a_task_starts_inherits_the_mask) {
    const cf_pool_options keep = {.max_workers = 1, .keep_signal_mask = true};
    EXPECT_EQ(end_of_spawned(cf_thread_pool_create, NULL, false), 0);
    EXPECT_EQ(end_of_spawned(cf_thread_pool_create, NULL, true), SIGTERM);
    EXPECT_EQ(end_of_spawned(cf_thread_pool_create, &keep, false), SIGTERM);
    EXPECT_EQ(end_of_spawned(cf_process_pool_create, NULL, false), SIGTERM);
}

/* ---- timers of processes ----------------------------------------------------------------------- */

static volatile sig_atomic_t samples;

static void count_sample(int number) {
    (void)number;
    samples++;
}

static int start_profiler(void *context, unsigned worker, void **local) {
    const struct itimerval tick = {{0, 1000}, {0, 1000}};
    (void)context, (void)worker, (void)local;
    return signal(SIGPROF, count_sample) == SIG_ERR || setitimer(ITIMER_PROF, &tick, NULL) != 0;
}

/* Gives whether a timer runs. If so, it waits for a sample. */
static int run_profiled(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg;
    struct itimerval timer;
    const bool runs = getitimer(ITIMER_PROF, &timer) == 0 && timer.it_interval.tv_usec != 0;
    while (runs && samples == 0 && !cf_task_cancelled(ctx)) {}
    *(bool *)result = runs;
    return 0;
}

static bool is_profiled(cf_initializer_fn *initializer) {
    static const cf_task task = {.run = run_profiled, .result_size = sizeof(bool)};
    const cf_pool_options options = {.max_workers = 1, .initializer = initializer};
    const cf_submit_options limited = {.timeout_ns = 20 * SECOND};
    cf_executor *pool = NULL;
    cf_future *f = NULL;
    bool profiled = false;
    EXPECT(CF_OK, cf_process_pool_create(&options, &pool));
    EXPECT(CF_OK, cf_executor_submit_with(pool, &task, NULL, &limited, &f));
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, &profiled));
    cf_future_release(f);
    cf_executor_destroy(pool);
    return profiled;
}

Test(signals, a_profiler_of_processes_starts_in_the_initializer) {
    const struct itimerval none = {0};
    EXPECT_EQ(start_profiler(NULL, 0, NULL), 0);
    cr_assert(!is_profiled(NULL));
    cr_assert(is_profiled(start_profiler));
    cr_assert_eq(setitimer(ITIMER_PROF, &none, NULL), 0);
}

/* ---- the nursery ----------------------------------------------------------------------------- */

/* Also those that stop a background process at its terminal. What lies between 31 and SIGRTMIN is
 * the C library's own. */
Test(signals, only_sigkill_and_sigstop_reach_the_nursery) {
    cf_executor *pool = create_pool(2);
    const pid_t nursery = nursery_of(pool);
    for (int s = 1; s <= SIGRTMAX; s++) {
        const bool libcs_own = s > 31 && s < SIGRTMIN;
        if (s != SIGKILL && s != SIGSTOP && !libcs_own) {
            cr_assert_eq(kill(nursery, s), 0);
        }
    }
    cf_future *dies = submit(pool, &death_task, &(death){.how = SIGKILL, .attempts = 1});
    EXPECT(CF_EWORKER, cf_future_result(dies, LONG_WAIT, NULL));
    check_works(pool);
    EXPECT_EQ(nursery_of(pool), nursery);
    cf_future_release(dies);
    cf_executor_destroy(pool);
}

/* ---- SIGTERM --------------------------------------------------------------------------------- */

static int linger(void *context, unsigned worker, void **local) {
    (void)context, (void)worker, (void)local;
    sleep(LONG_WAIT / SECOND);
    return 0;
}

/* It may come at any moment between fork and the first instruction of the initializer. */
Test(signals, terminate_reaches_a_worker_that_is_being_born) {
    const cf_pool_options options = {.max_workers = 4, .initializer = linger};
    for (unsigned delay_us = 0; delay_us < 2000; delay_us += 100) {
        cf_executor *pool = NULL;
        EXPECT(CF_OK, cf_process_pool_create(&options, &pool));
        for (int i = 0; i < 4; i++) {
            EXPECT(CF_OK, cf_executor_submit(pool, &mask_task, NULL, NULL));
        }
        usleep(delay_us);
        const int64_t start_ns = now_ns();
        EXPECT(CF_OK, cf_executor_terminate_workers(pool));
        cf_executor_destroy(pool);
        cr_assert(now_ns() - start_ns < LONG_WAIT / 2, "with a delay of %u us", delay_us);
    }
}

static int run_told(const void *arg, void *result, cf_task_context *ctx) {
    counter *begun = *(counter *const *)arg;
    counter_add(begun, 1);
    while (!cf_task_cancelled(ctx)) {
        usleep(1000);
    }
    usleep(100000); /* a SIGTERM has long come */
    *(int *)result = 5;
    return 0;
}

Test(signals, workers_may_ignore_sigterm) {
    static const cf_task task = {
        .run = run_told, .arg_size = sizeof(counter *), .result_size = sizeof(int)};
    counter *begun = shared_alloc(sizeof *begun);
    const cf_pool_options options = {.max_workers = 1, .ignore_sigterm = true};
    cf_executor *pool = NULL;
    int result = 0;
    pid_t pid;
    EXPECT(CF_OK, cf_process_pool_create(&options, &pool));
    cf_future *f = submit(pool, &task, &begun);
    cr_assert(counter_wait(begun, 1));
    EXPECT_EQ(worker_pids(pool, &pid, 1), 1);
    cr_assert_eq(kill(pid, SIGTERM), 0);
    EXPECT(CF_ETIMEDOUT, cf_future_result(f, 100 * MILLISECOND, NULL));
    EXPECT(CF_OK, cf_executor_terminate_workers(pool));
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, &result));
    EXPECT_EQ(result, 5);
    cf_future_release(f);
    cf_executor_destroy(pool);
    shared_free(begun, sizeof *begun);
}

static void on_sigterm(int number) {
    (void)number;
}

/* As a service manager does that stops a service: every process gets one. The program goes on. */
static int host_that_is_told_to_end(void *context) {
    const bool ignores = *(const bool *)context;
    const cf_pool_options options = {.max_workers = 1, .ignore_sigterm = ignores};
    counter *c = shared_alloc(3 * sizeof *c);
    const blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2], .value = 6};
    cf_executor *pool = NULL;
    cf_future *f = NULL;
    cf_exception why;
    whereabouts w = {0};
    HOST_CHECK(signal(SIGTERM, on_sigterm) != SIG_ERR);
    HOST_CHECK(cf_process_pool_create(&options, &pool) == CF_OK);
    HOST_CHECK(cf_executor_submit(pool, &whereabouts_task, NULL, &f) == CF_OK);
    HOST_CHECK(cf_future_result(f, LONG_WAIT, &w) == CF_OK && w.parent > 1 && w.pid > 1);
    cf_future_release(f);
    HOST_CHECK(cf_executor_submit(pool, &blocker_task, &b, &f) == CF_OK);
    HOST_CHECK(counter_wait(&c[0], 1));
    HOST_CHECK(kill(w.parent, SIGTERM) == 0 && kill(w.pid, SIGTERM) == 0 && raise(SIGTERM) == 0);
    if (ignores) {
        counter_add(&c[1], 1);
    }
    HOST_CHECK(cf_future_exception(f, LONG_WAIT, &why) == CF_OK);
    HOST_CHECK(why.status == (ignores ? CF_OK : CF_EWORKER));
    HOST_CHECK(why.signal == (ignores ? 0 : SIGTERM));
    cf_future_release(f);
    HOST_CHECK(cf_executor_submit(pool, &whereabouts_task, NULL, &f) == CF_OK);
    HOST_CHECK(cf_future_result(f, LONG_WAIT, &w) == CF_OK);
    cf_future_release(f);
    cf_executor_destroy(pool);
    shared_free(c, 3 * sizeof *c);
    return 0;
}

Test(signals, a_sigterm_to_all_processes_costs_running_tasks_unless_ignored) {
    static bool ignores[] = {false, true};
    for (size_t i = 0; i < COUNT_OF(ignores); i++) {
        EXPECT_HOST_OK(host_run(host_that_is_told_to_end, &ignores[i]));
    }
}
