/* Children, and who reaps them: the program may ignore SIGCHLD, reap everything, have children of its own, be
 * a subreaper or pid 1. */
#include "process.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(reaping, .timeout = TEST_SECONDS);

static void handle(int signal) {
    (void)signal;
}

static int host_that_ignores_sigchld(void *context) {
    (void)context;
    struct sigaction action = {.sa_handler = SIG_IGN};
    HOST_CHECK(sigaction(SIGCHLD, &action, NULL) == 0);
    HOST_CHECK(live_through_deaths() == 0);
    HOST_CHECK(sigaction(SIGCHLD, NULL, &action) == 0 && action.sa_handler == SIG_IGN);
    HOST_CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    return 0;
}

Test(reaping, sigchld_may_be_ignored) {
    EXPECT_HOST_OK(host_run(host_that_ignores_sigchld, NULL));
}

static int host_with_nocldwait(void *context) {
    (void)context;
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_NOCLDWAIT};
    HOST_CHECK(sigaction(SIGCHLD, &action, NULL) == 0);
    return live_through_deaths();
}

Test(reaping, sigchld_may_be_nocldwait) {
    EXPECT_HOST_OK(host_run(host_with_nocldwait, NULL));
}

static _Atomic bool reaping;

static void *reap_all(void *arg) {
    while (atomic_load(&reaping)) {
        if (waitpid(-1, NULL, 0) < 0) {
            sched_yield();
        }
    }
    return arg;
}

static int host_that_reaps(void *context) {
    (void)context;
    pthread_t reaper;
    atomic_store(&reaping, true);
    HOST_CHECK(pthread_create(&reaper, NULL, reap_all, NULL) == 0);
    HOST_CHECK(live_through_deaths() == 0);
    atomic_store(&reaping, false);
    HOST_CHECK(pthread_join(reaper, NULL) == 0);
    return 0;
}

Test(reaping, the_caller_may_reap_everything) {
    EXPECT_HOST_OK(host_run(host_that_reaps, NULL));
}

static int host_with_children_of_its_own(void *context) {
    (void)context;
    pid_t own = fork();
    if (own == 0) {
        _exit(9);
    }
    HOST_CHECK(live_through_deaths() == 0);
    int status = 0; /* the library reaps its own children only */
    HOST_CHECK(waitpid(own, &status, 0) == own && WEXITSTATUS(status) == 9);
    HOST_CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    return 0;
}

Test(reaping, the_callers_own_children_are_left_alone) {
    EXPECT_HOST_OK(host_run(host_with_children_of_its_own, NULL));
}

/* While a pool lives, a wait for any child ends only when another child has ended. */
static int host_that_waits_for_any_child(void *context) {
    (void)context;
    cf_executor *pool = NULL;
    int status = 0;
    HOST_CHECK(cf_process_pool_create(&(cf_pool_options){.max_workers = 1}, &pool) == CF_OK);
    const pid_t own = fork();
    if (own == 0) {
        _exit(9);
    }
    HOST_CHECK(waitpid(own, &status, 0) == own && WEXITSTATUS(status) == 9);
    HOST_CHECK(waitpid(-1, NULL, WNOHANG) == 0); /* the nursery is there */
    cf_executor_destroy(pool);
    HOST_CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    return 0;
}

Test(reaping, a_wait_for_any_child_does_not_end_while_a_pool_lives) {
    EXPECT_HOST_OK(host_run(host_that_waits_for_any_child, NULL));
}

/* ---- a program that orphans come to ---------------------------------------------------------- */

enum {
    ORPHANS = 3
};

/* Without its nursery the pool's workers are the program's. They are dead when the pool is broken. */
static int lose_a_nursery_and_reap(void) {
    HOST_CHECK(lose_a_nursery(ORPHANS) == 0);
    for (int i = 0; i < ORPHANS; i++) {
        int status = 0;
        HOST_CHECK(waitpid(-1, &status, 0) > 0);
        HOST_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    }
    HOST_CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    return 0;
}

static int host_that_is_a_subreaper(void *context) {
    (void)context;
    HOST_CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0);
    return lose_a_nursery_and_reap();
}

Test(reaping, a_subreaper_gets_what_a_dead_nursery_leaves) {
    EXPECT_HOST_OK(host_run(host_that_is_a_subreaper, NULL));
}

#define NO_NAMESPACE 77

static int body_of_pid_1(void *context) {
    (void)context;
    HOST_CHECK(getpid() == 1);
    HOST_CHECK(live_through_deaths() == 0);
    while (waitpid(-1, NULL, WNOHANG) > 0) {} /* those of the nursery that was killed */
    return lose_a_nursery_and_reap();
}

static int host_that_is_pid_1(void *context) {
    (void)context;
    if (unshare(CLONE_NEWPID) != 0) {
        return NO_NAMESPACE;
    }
    const pid_t first = host_start(body_of_pid_1, NULL);
    if (first < 0) {
        return NO_NAMESPACE;
    }
    return host_wait(first) == 0 ? 0 : 1;
}

/* Needs a user that may make a namespace of processes. */
Test(reaping, a_program_may_be_pid_1) {
    const int status = host_run(host_that_is_pid_1, NULL);
    if (WIFEXITED(status) && WEXITSTATUS(status) == NO_NAMESPACE) {
        cr_skip_test("no namespace of processes");
    }
    EXPECT_HOST_OK(status);
}
