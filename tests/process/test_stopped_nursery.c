/* A stopped nursery (SIGSTOP) ends with its caller as any other does, with the workers and what their tasks have
 * started, stopped or not. It goes on when the pool asks it for something: a worker, a kill, the end. */
#include "process.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(stopped_nursery, .timeout = TEST_SECONDS);

enum {
    WORKERS = 3
};

/* What a pool consists of: the workers, a child of each one's task, the nursery. */
typedef struct ward {
    counter ready; /* WORKERS: all are known, and busy. One more: the host is where it waits */
    counter leave; /* the host may end */
    _Atomic pid_t workers[WORKERS];
    _Atomic pid_t children[WORKERS];
    _Atomic pid_t nursery;
} ward;

static int run_busy(const void *arg, void *result, cf_task_context *ctx) {
    (void)result;
    ward *w = *(ward *const *)arg;
    const unsigned me = cf_task_worker(ctx);
    pid_t child = fork();
    if (child == 0) {
        for (;;) {
            pause();
        }
    }
    atomic_store(&w->children[me], child);
    atomic_store(&w->nursery, getppid());
    atomic_store(&w->workers[me], getpid());
    counter_add(&w->ready, 1);
    for (volatile unsigned spins = 0;; spins++) {
        if (me == 0) {
            pause(); /* another place to be than a loop */
        }
    }
    return 0;
}

static const cf_task busy_task = {.name = "busy", .run = run_busy, .arg_size = sizeof(ward *)};

static int own_a_pool(ward *w) {
    cf_executor *pool = NULL;
    HOST_CHECK(cf_process_pool_create(&(cf_pool_options){.max_workers = WORKERS}, &pool) == CF_OK);
    for (size_t i = 0; i < WORKERS; i++) {
        HOST_CHECK(cf_executor_submit(pool, &busy_task, &w, NULL) == CF_OK);
    }
    HOST_CHECK(counter_wait(&w->ready, WORKERS));
    return 0;
}

static int host_of_a_pool(void *context) {
    ward *w = context;
    HOST_CHECK(own_a_pool(w) == 0);
    counter_add(&w->ready, 1);
    counter_wait(&w->leave, 1);
    return 0; /* _exit, with the pool as it is */
}

static void *own_in_a_thread(void *arg) {
    return own_a_pool(arg) == 0 ? arg : NULL;
}

/* The thread that has made the pool, and forked the nursery, has ended. */
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

/* How many of them live on. They are killed then: a test that fails leaves nothing behind either. */
static size_t survivors(const _Atomic pid_t *pids, size_t count) {
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        const pid_t pid = atomic_load(&pids[i]);
        if (!process_ends(pid, 5 * SECOND)) {
            found++;
            kill(pid, SIGKILL);
        }
    }
    return found;
}

/* All must be gone in the end. That it takes less than a second, a shared machine may miss once. */
static void expect_all_gone(const ward *w) {
    static size_t late;
    const int64_t start = now_ns();
    const size_t nurseries = survivors(&w->nursery, 1);
    const size_t workers = survivors(w->workers, WORKERS);
    const size_t children = survivors(w->children, WORKERS);
    cr_assert(nurseries + workers + children == 0,
              "%zu nurseries, %zu workers and %zu of their children live on", nurseries, workers,
              children);
    late += now_ns() - start >= SECOND;
    cr_assert(late <= 1, "gone after more than a second, for the %zu. time", late);
}

/* signal: what ends the host; 0 = it exits by itself. A worker is stopped too. */
static void end_host(host_body *body, int signal) {
    ward *w = shared_alloc(sizeof *w);
    const pid_t host = host_start(body, w);
    cr_assert(counter_wait(&w->ready, WORKERS + 1));
    cr_assert(process_stop(atomic_load(&w->workers[1])));
    cr_assert(process_stop(atomic_load(&w->nursery)));
    if (signal != 0) {
        cr_assert_eq(kill(host, signal), 0);
        const int status = host_wait(host);
        cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == signal);
    } else {
        counter_add(&w->leave, 1);
        EXPECT_HOST_OK(host_wait(host));
    }
    expect_all_gone(w);
    shared_free(w, sizeof *w);
}

Test(stopped_nursery, ends_with_a_caller_that_is_killed) {
    static const int signals[] = {SIGKILL, SIGTERM, SIGHUP};
    for (size_t i = 0; i < COUNT_OF(signals); i++) {
        end_host(host_of_a_pool, signals[i]);
    }
}

Test(stopped_nursery, ends_with_a_caller_that_exits) {
    end_host(host_of_a_pool, 0);
}

Test(stopped_nursery, ends_with_a_caller_whose_creating_thread_has_ended) {
    end_host(host_of_a_short_thread, SIGKILL);
    end_host(host_of_a_short_thread, 0);
}

/* ---- it goes on ------------------------------------------------------------------------------ */

Test(stopped_nursery, goes_on_when_a_worker_is_to_be_started) {
    counter *c = shared_alloc(3 * sizeof *c);
    const blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2]};
    cf_executor *pool = create_pool(2);
    const pid_t nursery = nursery_of(pool);
    cf_future *futures[2];
    cr_assert(process_stop(nursery));
    for (size_t i = 0; i < COUNT_OF(futures); i++) { /* each keeps its worker */
        futures[i] = submit(pool, &blocker_task, &b);
    }
    cr_assert(counter_wait(&c[0], 2));
    counter_add(&c[1], 1);
    for (size_t i = 0; i < COUNT_OF(futures); i++) {
        EXPECT(CF_OK, cf_future_result(futures[i], LONG_WAIT, NULL));
        cf_future_release(futures[i]);
    }
    cf_executor_destroy(pool);
    shared_free(c, 3 * sizeof *c);
}

/* A pool whose only worker is in a task that never ends, and whose nursery is stopped. */
typedef struct scene {
    counter *begun;
    cf_executor *pool;
    cf_future *future;
} scene;

static void scene_open(scene *s, int64_t limit_ns) {
    const cf_submit_options options = {.timeout_ns = limit_ns};
    s->begun = shared_alloc(sizeof *s->begun);
    s->pool = create_pool(1);
    const pid_t nursery = nursery_of(s->pool);
    const stuck task = {.begun = s->begun};
    EXPECT(CF_OK, cf_executor_submit_with(s->pool, &stuck_task, &task, &options, &s->future));
    cr_assert(counter_wait(s->begun, 1));
    cr_assert(process_stop(nursery));
}

static void scene_close(scene *s) {
    cf_future_release(s->future);
    cf_executor_destroy(s->pool);
    shared_free(s->begun, sizeof *s->begun);
}

Test(stopped_nursery, goes_on_when_a_task_is_over_its_time) {
    scene s;
    scene_open(&s, SECOND / 2);
    EXPECT(CF_EDEADLINE, cf_future_result(s.future, LONG_WAIT, NULL));
    check_works(s.pool);
    scene_close(&s);
}

Test(stopped_nursery, goes_on_when_the_workers_are_killed) {
    scene s;
    scene_open(&s, 0);
    EXPECT(CF_OK, cf_executor_kill_workers(s.pool));
    EXPECT(CF_EWORKER, cf_future_result(s.future, LONG_WAIT, NULL));
    scene_close(&s);
}

Test(stopped_nursery, goes_on_when_the_pool_ends) {
    cf_executor *pool = create_pool(2);
    check_works(pool);
    cr_assert(process_stop(nursery_of(pool)));
    EXPECT(CF_OK, cf_executor_shutdown(pool, true, false));
    cf_executor_destroy(pool);
}

/* ---- what waits for it ----------------------------------------------------------------------- */

Test(stopped_nursery, delays_what_a_death_leads_to) {
    const death d = {.how = SIGKILL, .attempts = 1};
    cf_executor *pool = create_pool(1);
    const pid_t nursery = nursery_of(pool);
    cr_assert(process_stop(nursery));
    cf_future *future = submit(pool, &death_task, &d);
    EXPECT(CF_ETIMEDOUT, cf_future_result(future, 50 * MILLISECOND, NULL));
    cr_assert_eq(kill(nursery, SIGCONT), 0);
    EXPECT(CF_EWORKER, cf_future_result(future, LONG_WAIT, NULL));
    cf_future_release(future);
    check_works(pool);
    cf_executor_destroy(pool);
}
