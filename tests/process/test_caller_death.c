/* Workers never outlive their caller: at whatever moment it is killed, all are gone within a second. (Zombies
 * do not count: the init process of a container may not reap.) */
#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(caller_death, .timeout = TEST_SECONDS);

enum {
    WORKERS = 4
};

typedef struct ward {
    counter begun;                   /* stuck tasks */
    counter ready;                   /* the host tells the test */
    counter leave;                   /* and the other way round */
    _Atomic pid_t pids[WORKERS + 1]; /* workers, nursery */
} ward;

/* Sleeps in a futex, which is another place to be than a loop. */
static int run_asleep(const void *arg, void *result, cf_task_context *ctx) {
    (void)result;
    (void)ctx;
    ward *w = *(ward *const *)arg;
    counter_add(&w->begun, 1);
    return !counter_wait(&w->leave, 2); /* never */
}

static const cf_task asleep_task = {.run = run_asleep, .arg_size = sizeof(ward *)};

/* Owns a pool whose workers are all busy, tells their pids, and waits to be killed. */
static int own_a_pool(ward *w, bool asleep) {
    cf_executor *pool = NULL;
    HOST_CHECK(cf_process_pool_create(&(cf_pool_options){.max_workers = WORKERS}, &pool) == CF_OK);
    whereabouts where = {0};
    cf_future *f = NULL;
    HOST_CHECK(cf_executor_submit(pool, &whereabouts_task, NULL, &f) == CF_OK);
    HOST_CHECK(cf_future_result(f, LONG_WAIT, &where) == CF_OK);
    cf_future_release(f);
    stuck s = {.begun = &w->begun};
    for (size_t i = 0; i < WORKERS; i++) {
        cf_status status = asleep ? cf_executor_submit(pool, &asleep_task, &w, NULL)
                                  : cf_executor_submit(pool, &stuck_task, &s, NULL);
        HOST_CHECK(status == CF_OK);
    }
    HOST_CHECK(counter_wait(&w->begun, WORKERS));
    for (unsigned i = 0; i < WORKERS; i++) {
        cf_worker_stats worker;
        HOST_CHECK(cf_executor_worker_stats(pool, i, &worker) == CF_OK);
        atomic_store(&w->pids[i], (pid_t)worker.id);
    }
    atomic_store(&w->pids[WORKERS], where.parent);
    counter_add(&w->ready, 1);
    return 0;
}

static int spinning_host(void *context) {
    ward *w = context;
    HOST_CHECK(own_a_pool(w, false) == 0);
    counter_wait(&w->leave, 1);
    return 0; /* _exit, with the pool as it is */
}

static int sleeping_host(void *context) {
    ward *w = context;
    HOST_CHECK(own_a_pool(w, true) == 0);
    counter_wait(&w->leave, 1);
    return 0;
}

/* All have to be gone in the end, and within a second but once: a machine that is shared can stop
 * for longer than that, though not again and again. */
static void gone_after(int64_t taken, size_t rounds) {
    static size_t late;
    late += taken >= SECOND;
    cr_assert(taken < LONG_WAIT, "someone lives on");
    cr_assert(late <= 1 + rounds / 50, "gone after %.1f s, late for the %zu. time",
              (double)taken / SECOND, late);
}

static void expect_all_gone(ward *w) {
    const int64_t start = now_ns();
    for (size_t i = 0; i <= WORKERS; i++) {
        pid_t pid = atomic_load(&w->pids[i]);
        cr_assert(pid > 1);
        cr_assert(process_ends(pid, LONG_WAIT), "%s %d lives on",
                  i < WORKERS ? "worker" : "nursery", pid);
    }
    gone_after(now_ns() - start, 0);
}

static void kill_host(host_body *body, int signal) {
    ward *w = shared_alloc(sizeof *w);
    pid_t host = host_start(body, w);
    cr_assert(counter_wait(&w->ready, 1));
    cr_assert_eq(kill(host, signal), 0);
    int status = host_wait(host);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == signal);
    expect_all_gone(w);
    shared_free(w, sizeof *w);
}

Test(caller_death, by_sigkill_in_a_computation) {
    for (int i = 0; i < 5; i++) {
        kill_host(spinning_host, SIGKILL);
    }
}

Test(caller_death, by_sigkill_in_a_system_call) {
    for (int i = 0; i < 5; i++) {
        kill_host(sleeping_host, SIGKILL);
    }
}

Test(caller_death, by_other_signals) {
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < COUNT_OF(signals); i++) {
        kill_host(spinning_host, signals[i]);
        kill_host(sleeping_host, signals[i]);
    }
}

Test(caller_death, by_exit_without_destroy) {
    for (int i = 0; i < 3; i++) {
        ward *w = shared_alloc(sizeof *w);
        pid_t host = host_start(spinning_host, w);
        cr_assert(counter_wait(&w->ready, 1));
        counter_add(&w->leave, 1);
        EXPECT_EQ(host_wait(host), 0);
        expect_all_gone(w);
        shared_free(w, sizeof *w);
    }
}

/* Two pools, one made after the other: the second nursery must not keep alive what tells the first
 * one of the caller's death. */
static int host_of_two_pools(void *context) {
    ward *w = context;
    HOST_CHECK(own_a_pool(&w[0], false) == 0);
    HOST_CHECK(own_a_pool(&w[1], true) == 0);
    counter_wait(&w[0].leave, 1);
    return 0;
}

Test(caller_death, with_two_pools) {
    for (int i = 0; i < 3; i++) {
        ward *w = shared_alloc(2 * sizeof *w);
        pid_t host = host_start(host_of_two_pools, w);
        cr_assert(counter_wait(&w[1].ready, 1));
        cr_assert_eq(kill(host, SIGKILL), 0);
        host_wait(host);
        expect_all_gone(&w[0]);
        expect_all_gone(&w[1]);
        shared_free(w, 2 * sizeof *w);
    }
}

/* A pool made by a thread that has ended lives as long as the process, and no longer. */
static void *own_in_a_thread(void *arg) {
    return own_a_pool(arg, false) == 0 ? arg : NULL;
}

static int host_of_a_short_thread(void *context) {
    ward *w = context;
    pthread_t thread;
    void *done = NULL;
    HOST_CHECK(pthread_create(&thread, NULL, own_in_a_thread, w) == 0);
    HOST_CHECK(pthread_join(thread, &done) == 0 && done == w);
    counter_add(&w->ready, 1);
    counter_wait(&w->leave, 1);
    return 0;
}

Test(caller_death, of_a_thread_only_is_none) {
    ward *w = shared_alloc(sizeof *w);
    pid_t host = host_start(host_of_a_short_thread, w);
    cr_assert(counter_wait(&w->ready, 2));
    for (size_t i = 0; i <= WORKERS; i++) {
        cr_assert_not(process_ends(atomic_load(&w->pids[i]), 20 * MILLISECOND));
    }
    cr_assert_eq(kill(host, SIGKILL), 0);
    host_wait(host);
    expect_all_gone(w);
    shared_free(w, sizeof *w);
}

/* ---- killed at any moment -------------------------------------------------------------------- */

/* Makes, uses and destroys pools, workers dying now and then, until it is killed. */
static int restless_host(void *context) {
    ward *w = context;
    for (uint64_t round = 0;; round++) {
        cf_executor *pool = NULL;
        HOST_CHECK(cf_process_pool_create(&(cf_pool_options){.max_workers = 3}, &pool) == CF_OK);
        for (uint64_t i = 0; i < 20; i++) {
            death d = {.how = SIGKILL, .attempts = i % 10 == 9, .value = i};
            cf_submit_options options = {.retries = 1};
            HOST_CHECK(cf_executor_submit_with(pool, &death_task, &d, &options, NULL) == CF_OK);
        }
        cf_executor_destroy(pool);
        counter_add(&w->ready, 1);
    }
}

/* Reaps until there is nobody left; gives the time that took, LONG_WAIT if it was in vain. */
static int64_t reap_all(void) {
    const int64_t start = now_ns();
    while (now_ns() - start < LONG_WAIT) {
        pid_t pid = waitpid(-1, NULL, WNOHANG);
        if (pid < 0 && errno == ECHILD) {
            return now_ns() - start;
        }
        if (pid == 0) {
            sched_yield();
        }
    }
    return LONG_WAIT;
}

Test(caller_death, at_random_moments) {
    uint64_t seed = test_seed("caller_death/at_random_moments");
    cr_assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0); /* so that orphans come to us */
    const size_t rounds = scaled(50);
    for (size_t i = 0; i < rounds; i++) {
        ward *w = shared_alloc(sizeof *w);
        pid_t host = host_start(restless_host, w);
        cr_assert(counter_wait(&w->ready, (uint32_t)(random_next(&seed) % 3)));
        spin_for((int64_t)(random_next(&seed) % (uint64_t)(5 * MILLISECOND)));
        cr_assert_eq(kill(host, SIGKILL), 0);
        gone_after(reap_all(), rounds);
        shared_free(w, sizeof *w);
    }
}

/* ---- nothing with a name --------------------------------------------------------------------- */

/* Entries of /dev/shm, but for those of the test framework. */
static size_t shm_entries(void) {
    size_t count = 0;
    DIR *dir = opendir("/dev/shm");
    for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir)) {
        count += e->d_name[0] != '.' && strncmp(e->d_name, "bxf", 3) != 0;
    }
    if (dir) {
        closedir(dir);
    }
    return count;
}

Test(caller_death, leaves_nothing_in_dev_shm) {
    size_t before = shm_entries();
    cf_executor *pool = create_pool(2);
    check_works(pool);
    EXPECT_EQ(shm_entries(), before);
    cf_executor_destroy(pool);
    kill_host(spinning_host, SIGKILL);
    EXPECT_EQ(shm_entries(), before);
}
