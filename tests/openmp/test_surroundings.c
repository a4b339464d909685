/* The team of OpenMP in odd surroundings: system calls refused, descriptors closed, signals, forks, and values
 * of OpenMP's variables that the system cannot fulfil or libgomp cannot read. */
#include "../check.h"
#include "../refuse.h"

#include <cfutures_openmp.h>

#include <errno.h>
#include <omp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(surroundings, .timeout = TEST_SECONDS);
TestSuite(environment, .timeout = TEST_SECONDS); /* each run with variables of its own */

enum {
    ITEMS = 200
};

/* How many workers of four the executor has after some work; -1 if the work went wrong. */
static int workers_at_work(void) {
    uint64_t args[ITEMS], results[ITEMS] = {0};
    cf_executor *ex = NULL;
    cf_stats stats;
    bool right = cf_openmp_create(&(cf_pool_options){.max_workers = 4}, &ex) == CF_OK;
    for (uint64_t i = 0; i < ITEMS; i++) {
        args[i] = i;
    }
    for (int round = 0; right && round < 8; round++) { /* each may start one more */
        right = cf_executor_map(ex, &square_task, args, ITEMS, results, NULL) == CF_OK;
    }
    for (uint64_t i = 0; right && i < ITEMS; i++) {
        right = results[i] == i * i;
    }
    right = right && cf_executor_stats(ex, &stats) == CF_OK;
    cf_executor_destroy(ex);
    return right ? (int)stats.workers : -1;
}

/* ---- refused system calls -------------------------------------------------------------------- */

static int host_without_new_threads(void *context) {
    (void)context;
    const size_t before = thread_count();
    int error = 0;
    cf_executor *ex = NULL;
    cf_future *f = NULL;
    HOST_CHECK(cf_openmp_create(&(cf_pool_options){.max_workers = 4}, &ex) == CF_OK);
    HOST_CHECK(refuse_call("pthread_create", EPERM));
    for (int i = 0; i < 2; i++) {
        HOST_CHECK(cf_executor_submit(ex, &square_task, &(uint64_t){3}, &f) == CF_EAGAIN);
        HOST_CHECK(f == NULL && strcmp(cf_refused_call(&error), "pthread_create") == 0);
        HOST_CHECK(error == EPERM);
    }
    cf_executor_destroy(ex);
    HOST_CHECK(thread_count() == before);
    return 0;
}

Test(surroundings, new_threads_are_refused) {
    EXPECT_HOST_OK(host_run(host_without_new_threads, NULL));
}

/* ---- descriptors ----------------------------------------------------------------------------- */

static int host_that_closes_descriptors(void *context) {
    (void)context;
    uint64_t square = 0;
    cf_executor *ex = NULL;
    cf_future *f = NULL;
    HOST_CHECK(cf_openmp_create(&(cf_pool_options){.max_workers = 4}, &ex) == CF_OK);
    for (uint64_t i = 0; i < 2; i++) { /* before the team begins, and while it lives */
        for (int file = 0; file < 1024; file++) {
            close(file);
        }
        HOST_CHECK(cf_executor_submit(ex, &square_task, &i, &f) == CF_OK);
        HOST_CHECK(cf_future_result(f, LONG_WAIT, &square) == CF_OK && square == i * i);
        cf_future_release(f);
    }
    cf_executor_destroy(ex);
    HOST_CHECK(workers_at_work() == 4);
    return 0;
}

Test(surroundings, all_descriptors_may_be_closed) {
    EXPECT_HOST_OK(host_run(host_that_closes_descriptors, NULL));
}

/* ---- signals --------------------------------------------------------------------------------- */

/* Waits until all members are here, then gives the signals that this one blocks, as bits. */
static int run_mask(const void *arg, void *result, cf_task_context *ctx) {
    counter *here = *(counter *const *)arg;
    (void)ctx;
    sigset_t blocked;
    uint32_t bits = 0;
    counter_add(here, 1);
    const bool met = counter_wait(here, 3);
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    for (int s = 1; s < 32; s++) {
        bits |= sigismember(&blocked, s) == 1 ? UINT32_C(1) << s : 0;
    }
    *(uint32_t *)result = bits;
    return met ? 0 : ETIMEDOUT;
}

static const cf_task mask_task = {
    .run = run_mask, .arg_size = sizeof(counter *), .result_size = sizeof(uint32_t)};

typedef cf_status create_fn(const cf_pool_options *options, cf_executor **executor);

static void masks_of(create_fn *create, bool keep, uint32_t masks[3]) {
    const cf_pool_options options = {.max_workers = 3, .keep_signal_mask = keep};
    counter here = {0};
    counter *arg = &here;
    cf_executor *ex = NULL;
    cf_future *futures[3];
    EXPECT(CF_OK, create(&options, &ex));
    for (int i = 0; i < 3; i++) {
        EXPECT(CF_OK, cf_executor_submit(ex, &mask_task, &arg, &futures[i]));
    }
    for (int i = 0; i < 3; i++) {
        EXPECT(CF_OK, cf_future_result(futures[i], LONG_WAIT, &masks[i]));
        cf_future_release(futures[i]);
    }
    cf_executor_destroy(ex);
}

Test(surroundings, members_have_the_mask_of_a_thread_pools_workers) {
    uint32_t usual[3], masks[3];
    masks_of(cf_thread_pool_create, false, usual);
    masks_of(cf_openmp_create, false, masks);
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(masks[i], usual[0]);
        EXPECT_EQ(masks[i] >> SIGSEGV & 1, 0);
        EXPECT_EQ(masks[i] >> SIGTERM & 1, 1);
    }
}

Test(surroundings, members_keep_the_mask_if_asked) {
    uint32_t masks[3];
    sigset_t mask, before;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    pthread_sigmask(SIG_SETMASK, &mask, &before);
    masks_of(cf_openmp_create, true, masks);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(masks[i], UINT32_C(1) << SIGUSR1);
    }
}

/* ---- forks ----------------------------------------------------------------------------------- */

static counter *runs; /* shared with the children */

/* Forks, and both return. */
static int run_fork(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg, (void)result, (void)ctx;
    int wait_status;
    counter_add(runs, 1);
    pid_t child = fork();
    if (child <= 0) {
        return child < 0 ? errno : 0;
    }
    return waitpid(child, &wait_status, 0) == child && wait_status == 0 ? 0 : ECHILD;
}

Test(surroundings, a_forked_child_ends_when_its_task_returns) {
    static const cf_task fork_task = {.run = run_fork};
    enum {
        FORKS = 20
    };
    cf_executor *ex = NULL;
    cf_future *futures[FORKS];
    runs = shared_alloc(sizeof *runs);
    EXPECT(CF_OK, cf_openmp_create(&(cf_pool_options){.max_workers = 3}, &ex));
    for (int i = 0; i < FORKS; i++) {
        EXPECT(CF_OK, cf_executor_submit(ex, &fork_task, NULL, &futures[i]));
    }
    for (int i = 0; i < FORKS; i++) {
        EXPECT(CF_OK, cf_future_result(futures[i], LONG_WAIT, NULL));
        cf_future_release(futures[i]);
    }
    cf_executor_destroy(ex);
    EXPECT_EQ(counter_get(runs), FORKS);
    EXPECT_EQ(child_count(), 0);
    shared_free(runs, sizeof *runs);
}

/* ---- the end of the program ------------------------------------------------------------------ */

static int host_that_exits(void *context) {
    (void)context;
    cf_executor *ex = NULL;
    cf_future *f = NULL;
    HOST_CHECK(cf_openmp_create(&(cf_pool_options){.max_workers = 4}, &ex) == CF_OK);
    HOST_CHECK(cf_executor_submit(ex, &square_task, &(uint64_t){3}, &f) == CF_OK);
    HOST_CHECK(cf_future_result(f, LONG_WAIT, NULL) == CF_OK);
    exit(7);
}

Test(surroundings, the_program_may_exit_while_the_team_lives) {
    const int status = host_run(host_that_exits, NULL);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7, "wait status 0x%x", (unsigned)status);
}

/* ---- OpenMP's variables: one run for each set of them, see openmp.cmake ------------------------ */

Test(environment, stack_beyond_memory) { /* OMP_STACKSIZE=200000G */
    EXPECT_EQ(workers_at_work(), 1);
}

Test(environment, small_stack) { /* OMP_STACKSIZE="256 k " */
    EXPECT_EQ(workers_at_work(), 4);
}

Test(environment, unreadable_values) { /* each variable "junk", or out of its range */
    EXPECT_EQ(workers_at_work(), 4);
}

static int host_that_may_not_bind(void *context) {
    (void)context;
    HOST_CHECK(omp_get_proc_bind() != omp_proc_bind_false);
    HOST_CHECK(workers_at_work() == 4);
    HOST_CHECK(refuse_call("sched_setaffinity", EPERM));
    HOST_CHECK(workers_at_work() == 1);
    return 0;
}

Test(environment, bound_in_a_sandbox) { /* OMP_PROC_BIND=true */
    EXPECT_HOST_OK(host_run(host_that_may_not_bind, NULL));
}
