/* A submit_many that waits for room when its executor is shut down tells how far it came. No worker begins
 * to live after shutdown has said that all are gone. */
#include "rows.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

TestSuite(stopped_submit, .timeout = TEST_SECONDS);

enum {
    MANY = 200
};

/* In shared memory: it is the context of the initializer. */
typedef struct census {
    counter born;
    counter dead;
    counter ran;
} census;

static int be_born(void *context, unsigned worker, void **local) {
    (void)worker;
    (void)local;
    counter_add(&((census *)context)->born, 1);
    return 0;
}

static void die(void *context, unsigned worker, void *local) {
    (void)worker;
    (void)local;
    counter_add(&((census *)context)->dead, 1);
}

static cf_executor *create_counted(census *c, unsigned workers, size_t max_pending) {
    return create_with((cf_pool_options){.max_workers = workers,
                                         .max_pending = max_pending,
                                         .initializer = be_born,
                                         .finalizer = die,
                                         .context = c});
}

/* ---- stopped at any moment ------------------------------------------------------------------- */

typedef struct batch {
    pthread_t thread;
    cf_executor *ex;
    counter *args[MANY];
    size_t submitted;
    cf_status status;
} batch;

static void *submit_batch(void *arg) {
    batch *b = arg;
    b->status = cf_executor_submit_many(b->ex, &add_task, b->args, MANY, NULL, NULL, &b->submitted);
    return NULL;
}

static void stop_after(uint32_t tasks, size_t max_pending, bool cancel_pending) {
    census *c = shared_alloc(sizeof *c);
    batch b = {.ex = create_counted(c, 8, max_pending), .submitted = SIZE_MAX};
    for (size_t i = 0; i < MANY; i++) {
        b.args[i] = &c->ran;
    }
    cr_assert_eq(pthread_create(&b.thread, NULL, submit_batch, &b), 0);
    cr_assert(counter_wait(&c->ran, tasks));
    EXPECT(CF_OK, cf_executor_shutdown(b.ex, true, cancel_pending));
    const uint32_t born = counter_get(&c->born), ran = counter_get(&c->ran);
    EXPECT_EQ(counter_get(&c->dead), born);
    cr_assert_eq(pthread_join(b.thread, NULL), 0);
    cr_assert(b.status == CF_ESHUTDOWN || (b.status == CF_OK && b.submitted == MANY), "%s",
              cf_status_name(b.status));
    cf_stats stats;
    EXPECT(CF_OK, cf_executor_stats(b.ex, &stats));
    EXPECT_EQ(stats.submitted, b.submitted);
    EXPECT_EQ(stats.finished, ran);
    EXPECT_EQ(stats.finished + stats.cancelled, b.submitted);
    cf_executor_destroy(b.ex);
    EXPECT_EQ(counter_get(&c->born), born);
    EXPECT_EQ(counter_get(&c->dead), born);
    EXPECT_EQ(counter_get(&c->ran), ran);
    shared_free(c, sizeof *c);
}

Test(stopped_submit, at_any_moment) {
    NEEDS(runs_beside_caller);
    uint64_t seed = test_seed("stopped_submit/at_any_moment");
    const footprint before = footprint_now();
    for (size_t round = scaled(40); round > 0; round--) {
        const uint64_t r = random_next(&seed);
        stop_after((uint32_t)(r % (MANY / 2)), 1 + r / 1024 % 4, r / 65536 % 2);
    }
    footprint_check(before);
}

/* ---- where a worker was refused before --------------------------------------------------------- */

static counter held, let_go;

/* Holds the thread up where it is; it waits for room, and has no lock. */
static void hold_up(int number) {
    const int error = errno;
    (void)number;
    counter_add(&held, 1);
    counter_wait(&let_go, 1);
    errno = error;
}

typedef struct waiter {
    pthread_t thread;
    _Atomic pid_t id;
    counter begin;
    cf_executor *ex;
    counter *args[MANY];
    size_t submitted;
    cf_status status;
} waiter;

static void *submit_and_wait(void *arg) {
    waiter *w = arg;
    atomic_store(&w->id, (pid_t)syscall(SYS_gettid));
    if (!counter_wait(&w->begin, 1)) {
        return NULL;
    }
    w->status = cf_executor_submit_many(w->ex, &add_task, w->args, 3, NULL, NULL, &w->submitted);
    return NULL;
}

static bool sleeps(pid_t thread) {
    char path[64], line[256] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread);
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        line[fread(line, 1, sizeof line - 1, file)] = '\0';
        fclose(file);
    }
    const char *after_name = strrchr(line, ')');
    return after_name != NULL && after_name[1] == ' ' && after_name[2] == 'S';
}

/* Has submitted as many as may be pending, and nothing goes on. */
static bool waits_for_room(const waiter *w, uint64_t submitted) {
    const int64_t end = now_ns() + LONG_WAIT;
    cf_stats stats = {0};
    while (stats.submitted < submitted) {
        if (now_ns() > end || cf_executor_stats(w->ex, &stats) != CF_OK) {
            return false;
        }
        sched_yield();
    }
    do { /* without a look at the stats, for which both take the executor's lock */
        spin_for(10 * MILLISECOND);
    } while (!sleeps(atomic_load(&w->id)) && now_ns() < end);
    return now_ns() < end;
}

static void *do_nothing(void *arg) {
    return arg;
}

static bool threads_are_refused(void) {
    pthread_t thread;
    const bool refused = pthread_create(&thread, NULL, do_nothing, NULL) != 0;
    if (!refused) {
        pthread_join(thread, NULL);
    }
    return refused;
}

enum {
    NOT_HERE = 3 /* threads cannot be refused, so there is nothing to be tested */
};

/* Root is not limited, so it becomes somebody else, and no one who has other processes. */
static bool limit_threads(struct rlimit *before) {
    if (geteuid() == 0 && setresuid(59999, 59999, 59999) != 0) {
        return false;
    }
    if (getrlimit(RLIMIT_NPROC, before) != 0) {
        return false;
    }
    struct rlimit none = {.rlim_cur = 0, .rlim_max = before->rlim_max};
    return setrlimit(RLIMIT_NPROC, &none) == 0 && threads_are_refused();
}

static int host_where_a_worker_is_refused(void *context) {
    census *c = context;
    struct rlimit limit;
    waiter w = {.ex = NULL, .submitted = SIZE_MAX};
    cf_executor *ex = NULL;
    counter begun = {0}, gate = {0}, blocked = {0};
    const blocker blocks = {.begun = &begun, .gate = &gate, .ran = &blocked};
    const size_t threads = thread_count();
    const cf_pool_options options = {
        .max_workers = 2, .max_pending = 1, .initializer = be_born, .finalizer = die, .context = c};
    const struct sigaction action = {.sa_handler = hold_up};
    HOST_CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    HOST_CHECK(row()->create(&options, &ex) == CF_OK);
    w.ex = ex;
    for (size_t i = 0; i < COUNT_OF(w.args); i++) {
        w.args[i] = &c->ran;
    }
    HOST_CHECK(pthread_create(&w.thread, NULL, submit_and_wait, &w) == 0);
    HOST_CHECK(cf_executor_submit(ex, &blocker_task, &blocks, NULL) == CF_OK);
    HOST_CHECK(counter_wait(&begun, 1));
    if (!limit_threads(&limit)) {
        return NOT_HERE;
    }
    counter_add(&w.begin, 1);
    HOST_CHECK(waits_for_room(&w, 2));
    HOST_CHECK(pthread_kill(w.thread, SIGUSR1) == 0);
    HOST_CHECK(counter_wait(&held, 1));
    HOST_CHECK(setrlimit(RLIMIT_NPROC, &limit) == 0);
    counter_add(&gate, 1);

    HOST_CHECK(cf_executor_shutdown(ex, true, false) == CF_OK);
    HOST_CHECK(counter_get(&c->ran) == 1);
    HOST_CHECK(counter_get(&c->born) == 1 && counter_get(&c->dead) == 1);
    HOST_CHECK(threads_fall_to(threads + 1)); /* the one that is held up */
    counter_add(&let_go, 1);
    HOST_CHECK(pthread_join(w.thread, NULL) == 0);
    HOST_CHECK(w.status == CF_ESHUTDOWN && w.submitted == 1);
    HOST_CHECK(threads_fall_to(threads));
    cf_executor_destroy(ex);
    HOST_CHECK(counter_get(&c->born) == 1); /* and not one more since all were gone */
    HOST_CHECK(counter_get(&c->dead) == 1);
    return 0;
}

Test(stopped_submit, starts_no_worker_that_was_refused_before) {
    if (strcmp(row()->name, "thread_pool") != 0) {
        cr_skip_test("%s: its workers are not threads that are started one by one", row()->name);
    }
    census *c = shared_alloc(sizeof *c);
    const int status = host_run(host_where_a_worker_is_refused, c);
    shared_free(c, sizeof *c);
    if (status == NOT_HERE << 8) {
        cr_skip_test("threads cannot be refused here");
    }
    EXPECT_HOST_OK(status);
}
