/* terminate_workers and kill_workers: the end in a hurry. */
#include "rows.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

TestSuite(terminate, .timeout = TEST_SECONDS);

enum {
    WORKERS = 2,
    QUEUED = 100
};

typedef cf_status ending(cf_executor *ex);

typedef struct way {
    ending *end;
    int signal;
} way;

static const way ways[] = {{cf_executor_terminate_workers, SIGTERM},
                           {cf_executor_kill_workers, SIGKILL}};

/* Workers that are held, and a queue behind them. */
typedef struct scene {
    footprint before;
    counter *c; /* begun, gate, ran (the blockers), ran (those behind them) */
    cf_executor *ex;
    cf_future *held[WORKERS];
    cf_future *queued[QUEUED];
} scene;

static cf_stats stats_of(cf_executor *ex) {
    cf_stats stats;
    EXPECT(CF_OK, cf_executor_stats(ex, &stats));
    return stats;
}

static void expect_shut_down(cf_executor *ex) {
    cf_future *f = NULL;
    EXPECT(CF_ESHUTDOWN, cf_executor_submit(ex, &square_task, &(uint64_t){1}, &f));
    cr_assert(f == NULL);
}

static void hold_workers(scene *s, const cf_task *task, unsigned retries) {
    blocker b = {.begun = &s->c[0], .gate = &s->c[1], .ran = &s->c[2]};
    cf_submit_options options = {.retries = retries};
    for (size_t i = 0; i < WORKERS; i++) {
        EXPECT(CF_OK, cf_executor_submit_with(s->ex, task, &b, &options, &s->held[i]));
    }
    cr_assert(counter_wait(&s->c[0], WORKERS));
}

static scene scene_open(const cf_task *task, unsigned retries) {
    scene s = {.before = footprint_now(), .c = shared_alloc(4 * sizeof(counter))};
    s.ex = create(WORKERS);
    hold_workers(&s, task, retries);
    counter *ran = &s.c[3];
    for (size_t i = 0; i < QUEUED; i++) {
        s.queued[i] = submit(s.ex, &add_task, &ran);
    }
    return s;
}

static void scene_close(scene *s) {
    cf_executor_destroy(s->ex);
    EXPECT_EQ(counter_get(&s->c[3]), 0);
    for (size_t i = 0; i < WORKERS; i++) {
        cf_future_release(s->held[i]);
    }
    for (size_t i = 0; i < QUEUED; i++) {
        cf_future_release(s->queued[i]);
    }
    shared_free(s->c, 4 * sizeof(counter));
    footprint_check(s->before);
}

static void expect_queue_cancelled(scene *s) {
    for (size_t i = 0; i < QUEUED; i++) {
        EXPECT(CF_ECANCELLED, cf_future_result(s->queued[i], 0, NULL));
        EXPECT_EQ(cf_future_state(s->queued[i]), CF_CANCELLED);
    }
}

static void expect_ended_by(cf_future *future, int signal) {
    cf_exception why;
    EXPECT(CF_EWORKER, cf_future_result(future, LONG_WAIT, NULL));
    EXPECT(CF_OK, cf_future_exception(future, 0, &why));
    EXPECT_EQ(why.signal, signal);
}

/* ---- workers that are processes -------------------------------------------------------------- */

Test(terminate, ends_busy_processes) {
    NEEDS(survives_worker_death);
    for (size_t w = 0; w < COUNT_OF(ways); w++) {
        for (unsigned retries = 0; retries < 4; retries += 3) { /* there is nobody to run them */
            scene s = scene_open(&blocker_task, retries);
            EXPECT(CF_OK, ways[w].end(s.ex));
            expect_shut_down(s.ex);
            expect_queue_cancelled(&s);
            for (size_t i = 0; i < WORKERS; i++) {
                expect_ended_by(s.held[i], ways[w].signal);
            }
            EXPECT(CF_OK, cf_executor_shutdown(s.ex, true, false));
            cf_stats stats = stats_of(s.ex);
            EXPECT_EQ(stats.cancelled, QUEUED);
            EXPECT_EQ(stats.failed, WORKERS);
            EXPECT_EQ(stats.finished, WORKERS);
            EXPECT_EQ(stats.restarts + stats.retries + stats.pending + stats.running, 0);
            EXPECT_EQ(counter_get(&s.c[0]), WORKERS);
            EXPECT_EQ(counter_get(&s.c[2]), 0);
            scene_close(&s);
        }
    }
}

Test(terminate, ends_stopped_processes_when_it_kills) {
    NEEDS(survives_worker_death);
    scene s = scene_open(&blocker_task, 0);
    for (unsigned i = 0; i < WORKERS; i++) {
        cf_worker_stats worker;
        EXPECT(CF_OK, cf_executor_worker_stats(s.ex, i, &worker));
        cr_assert(worker.id > 1 && kill((pid_t)worker.id, SIGSTOP) == 0);
    }
    EXPECT(CF_OK, cf_executor_kill_workers(s.ex));
    for (size_t i = 0; i < WORKERS; i++) {
        expect_ended_by(s.held[i], SIGKILL);
    }
    scene_close(&s);
}

static void start_workers(cf_executor *ex, counter *c) {
    cf_future *futures[WORKERS];
    blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2]};
    for (size_t i = 0; i < WORKERS; i++) {
        futures[i] = submit(ex, &blocker_task, &b);
    }
    cr_assert(counter_wait(&c[0], WORKERS));
    counter_add(&c[1], 1);
    for (size_t i = 0; i < WORKERS; i++) {
        take(futures[i]);
    }
}

Test(terminate, ends_idle_processes) {
    NEEDS(survives_worker_death);
    for (size_t w = 0; w < COUNT_OF(ways); w++) {
        footprint before = footprint_now();
        counter *c = shared_alloc(3 * sizeof *c);
        pid_t pids[WORKERS];
        cf_executor *ex = create(WORKERS);
        start_workers(ex, c);
        for (unsigned i = 0; i < WORKERS; i++) {
            cf_worker_stats worker;
            EXPECT(CF_OK, cf_executor_worker_stats(ex, i, &worker));
            pids[i] = (pid_t)worker.id;
        }
        EXPECT(CF_OK, ways[w].end(ex));
        for (size_t i = 0; i < WORKERS; i++) {
            cr_assert(process_ends(pids[i], LONG_WAIT / 2), "worker %d lives on", pids[i]);
        }
        expect_shut_down(ex);
        EXPECT_EQ(stats_of(ex).restarts, 0);
        cf_executor_destroy(ex);
        shared_free(c, 3 * sizeof *c);
        footprint_check(before);
    }
}

/* A SIGTERM is held off; the gate is passed all the same, so the task ends well. */
static int run_unterminated(const void *arg, void *result, cf_task_context *ctx) {
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL);
    return blocker_task.run(arg, result, ctx);
}

static const cf_task unterminated_task = {.name = "unterminated",
                                          .run = run_unterminated,
                                          .arg_size = sizeof(blocker),
                                          .result_size = sizeof(uint64_t)};

Test(terminate, lets_a_process_finish_that_does_not_die_of_it) {
    NEEDS(survives_worker_death);
    scene s = scene_open(&unterminated_task, 0);
    EXPECT(CF_OK, cf_executor_terminate_workers(s.ex));
    expect_queue_cancelled(&s);
    spin_for(20 * MILLISECOND);
    EXPECT_EQ(cf_future_state(s.held[0]), CF_RUNNING);
    EXPECT_EQ(cf_future_state(s.held[1]), CF_RUNNING);
    counter_add(&s.c[1], 1);
    for (size_t i = 0; i < WORKERS; i++) {
        EXPECT(CF_OK, cf_future_result(s.held[i], LONG_WAIT, NULL));
    }
    scene_close(&s);
}

Test(terminate, kill_ends_what_terminate_did_not) {
    NEEDS(survives_worker_death);
    scene s = scene_open(&unterminated_task, 0);
    EXPECT(CF_OK, cf_executor_terminate_workers(s.ex));
    EXPECT_EQ(cf_future_state(s.held[0]), CF_RUNNING);
    EXPECT(CF_OK, cf_executor_kill_workers(s.ex));
    for (size_t i = 0; i < WORKERS; i++) {
        expect_ended_by(s.held[i], SIGKILL);
    }
    expect_queue_cancelled(&s);
    scene_close(&s);
}

/* The nursery is slow, and finds both requests at once: the stronger one holds. */
Test(terminate, does_not_soften_a_kill) {
    NEEDS(survives_worker_death);
    whereabouts w;
    counter *c = shared_alloc(3 * sizeof *c);
    cf_executor *ex = create(1);
    blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2]};
    cf_future *f = submit(ex, &whereabouts_task, NULL);
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, &w));
    cf_future_release(f);
    f = submit(ex, &unterminated_task, &b);
    cr_assert(counter_wait(&c[0], 1));
    cr_assert(w.parent > 1 && w.parent != getpid() && kill(w.parent, SIGSTOP) == 0);
    EXPECT(CF_OK, cf_executor_kill_workers(ex));
    EXPECT(CF_OK, cf_executor_terminate_workers(ex));
    cr_assert_eq(kill(w.parent, SIGCONT), 0);
    expect_ended_by(f, SIGKILL);
    cf_future_release(f);
    cf_executor_destroy(ex);
    shared_free(c, 3 * sizeof *c);
}

typedef struct family {
    counter begun;
    _Atomic pid_t grandchild;
} family;

static int run_sleeper(const void *arg, void *result, cf_task_context *ctx) {
    (void)result;
    (void)ctx;
    family *m = *(family *const *)arg;
    pid_t child = fork();
    if (child == 0) {
        execlp("sleep", "sleep", "60", (char *)NULL);
        _exit(127);
    }
    atomic_store(&m->grandchild, child);
    counter_add(&m->begun, 1);
    for (;;) {
        pause();
    }
}

Test(terminate, takes_along_what_the_task_has_started) {
    NEEDS(survives_worker_death);
    const cf_task sleeper_task = {.run = run_sleeper, .arg_size = sizeof(family *)};
    for (size_t w = 0; w < COUNT_OF(ways); w++) {
        family *m = shared_alloc(sizeof *m);
        cf_executor *ex = create(1);
        cf_future *f = submit(ex, &sleeper_task, &m);
        cr_assert(counter_wait(&m->begun, 1));
        pid_t grandchild = atomic_load(&m->grandchild);
        cr_assert(grandchild > 1 && process_alive(grandchild));
        EXPECT(CF_OK, ways[w].end(ex));
        expect_ended_by(f, ways[w].signal);
        cr_assert(process_ends(grandchild, LONG_WAIT / 2), "process %d lives on", grandchild);
        cf_future_release(f);
        cf_executor_destroy(ex);
        shared_free(m, sizeof *m);
    }
}

/* At any moment of a busy life: every future has one of the ends that there are, and nobody stays. */
Test(terminate, at_any_moment) {
    NEEDS(survives_worker_death);
    enum {
        N = 300
    };
    uint64_t seed = test_seed("terminate/at_any_moment");
    footprint before = footprint_now();
    const size_t rounds = scaled(60);
    for (size_t round = 0; round < rounds; round++) {
        const way *w = &ways[random_next(&seed) % COUNT_OF(ways)];
        cf_future *futures[N];
        cf_executor *ex = create(3);
        for (uint64_t i = 0; i < N; i++) {
            futures[i] = submit(ex, &square_task, &i);
        }
        spin_for((int64_t)(random_next(&seed) % (3 * MILLISECOND)));
        EXPECT(CF_OK, w->end(ex));
        uint64_t counts[CF_EEXHAUSTED + 1] = {0};
        for (uint64_t i = 0; i < N; i++) {
            uint64_t value = 0;
            cf_status status = cf_future_result(futures[i], LONG_WAIT, &value);
            cr_assert(status == CF_ECANCELLED || status == CF_EWORKER ||
                          (status == CF_OK && value == i * i),
                      "task %d: %s", (int)i, cf_status_name(status));
            counts[status]++;
            cf_future_release(futures[i]);
        }
        EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
        cf_stats s = stats_of(ex);
        EXPECT_EQ(s.cancelled, counts[CF_ECANCELLED]);
        EXPECT_EQ(s.failed, counts[CF_EWORKER]);
        EXPECT_EQ(s.finished, counts[CF_EWORKER] + counts[CF_OK]);
        EXPECT_EQ(s.pending + s.running + s.restarts, 0);
        cf_executor_destroy(ex);
    }
    footprint_check(before);
}

/* ---- workers that share the caller's process ------------------------------------------------- */

/* Tells that it has begun, and returns when it is told that nobody wants it any more. */
static int run_until_cancelled(const void *arg, void *result, cf_task_context *ctx) {
    const blocker *b = arg;
    const int64_t end = now_ns() + LONG_WAIT;
    if (cf_task_cancelled(ctx)) {
        return 1;
    }
    counter_add(b->begun, 1);
    while (!cf_task_cancelled(ctx)) {
        if (now_ns() > end) {
            return 2;
        }
        sched_yield();
    }
    counter_add(b->ran, 1);
    *(uint64_t *)result = 3;
    return 0;
}

static const cf_task until_cancelled_task = {.name = "until cancelled",
                                             .run = run_until_cancelled,
                                             .arg_size = sizeof(blocker),
                                             .result_size = sizeof(uint64_t)};

Test(terminate, asks_tasks_on_threads_to_return) {
    NEEDS(runs_beside_caller);
    NEEDS(shares_memory);
    scene s = scene_open(&until_cancelled_task, 0);
    spin_for(5 * MILLISECOND);
    EXPECT_EQ(counter_get(&s.c[2]), 0);
    EXPECT(CF_OK, cf_executor_terminate_workers(s.ex));
    expect_shut_down(s.ex);
    expect_queue_cancelled(&s);
    for (size_t i = 0; i < WORKERS; i++) { /* what they return counts */
        uint64_t value = 0;
        EXPECT(CF_OK, cf_future_result(s.held[i], LONG_WAIT, &value));
        EXPECT_EQ(value, 3);
    }
    cf_stats stats = stats_of(s.ex);
    EXPECT_EQ(stats.cancelled, QUEUED);
    EXPECT_EQ(stats.failed, 0);
    scene_close(&s);
}

Test(terminate, cannot_kill_threads) {
    NEEDS(shares_memory);
    cf_executor *ex = create(WORKERS);
    EXPECT(CF_EUNSUPPORTED, cf_executor_kill_workers(ex));
    EXPECT_EQ(take(submit(ex, &square_task, &(uint64_t){4})), 16);
    EXPECT(CF_OK, cf_executor_terminate_workers(ex));
    expect_shut_down(ex);
    EXPECT(CF_EUNSUPPORTED, cf_executor_kill_workers(ex));
    EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
    EXPECT(CF_EUNSUPPORTED, cf_executor_kill_workers(ex));
    cf_executor_destroy(ex);
}

Test(terminate, refused_kill_harms_no_running_task) {
    NEEDS(runs_beside_caller);
    NEEDS(shares_memory);
    counter c[3] = {{0}};
    blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2]};
    cf_executor *ex = create(1);
    cf_future *f = submit(ex, &until_cancelled_task, &b);
    cf_future *pending = submit(ex, &square_task, &(uint64_t){4});
    cr_assert(counter_wait(&c[0], 1));
    EXPECT(CF_EUNSUPPORTED, cf_executor_kill_workers(ex));
    spin_for(5 * MILLISECOND);
    EXPECT_EQ(cf_future_state(f), CF_RUNNING);
    EXPECT_EQ(cf_future_state(pending), CF_PENDING);
    EXPECT(CF_OK, cf_executor_terminate_workers(ex));
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, NULL));
    EXPECT(CF_ECANCELLED, cf_future_result(pending, 0, NULL));
    cf_future_release(f);
    cf_future_release(pending);
    cf_executor_destroy(ex);
}

typedef struct submission {
    pthread_t thread;
    cf_executor *ex;
    blocker b;
    cf_future *future;
    cf_status status;
} submission;

static void *submit_and_run(void *arg) {
    submission *s = arg;
    s->status = cf_executor_submit(s->ex, &until_cancelled_task, &s->b, &s->future);
    return NULL;
}

Test(terminate, asks_a_task_inside_submit) {
    NEEDS(shares_memory);
    counter c[3] = {{0}};
    submission s = {.ex = create(1), .b = {.begun = &c[0], .gate = &c[1], .ran = &c[2]}};
    cr_assert_eq(pthread_create(&s.thread, NULL, submit_and_run, &s), 0);
    cr_assert(counter_wait(&c[0], 1));
    EXPECT(CF_OK, cf_executor_terminate_workers(s.ex));
    cr_assert(counter_wait(&c[2], 1));
    cr_assert_eq(pthread_join(s.thread, NULL), 0);
    EXPECT(CF_OK, s.status);
    EXPECT_EQ(take(s.future), 3);
    cf_executor_destroy(s.ex);
}

typedef struct self_result {
    cf_status status;
    bool before;
    bool after;
} self_result;

static int run_terminate_own(const void *arg, void *result, cf_task_context *ctx) {
    self_result *r = result;
    r->before = cf_task_cancelled(ctx);
    r->status = cf_executor_terminate_workers(*(cf_executor *const *)arg);
    r->after = cf_task_cancelled(ctx);
    return 0;
}

static const cf_task terminate_own_task = {.run = run_terminate_own,
                                           .arg_size = sizeof(cf_executor *),
                                           .result_size = sizeof(self_result)};

Test(terminate, from_its_own_task) {
    cf_executor *ex = create(1);
    self_result r;
    cf_future *f = submit(ex, &terminate_own_task, &ex);
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, &r));
    cf_future_release(f);
    cr_assert_not(r.before);
    if (row()->shares_memory) {
        EXPECT(CF_OK, r.status);
        cr_assert(r.after);
        expect_shut_down(ex);
    } else {
        EXPECT(CF_EFORKED, r.status);
        cr_assert_not(r.after);
        EXPECT_EQ(take(submit(ex, &square_task, &(uint64_t){4})), 16);
    }
    cf_executor_destroy(ex);
}

/* ---- from where, and how often --------------------------------------------------------------- */

Test(terminate, again_and_after_shutdown) {
    const size_t kinds = row()->survives_worker_death ? COUNT_OF(ways) : 1;
    for (size_t w = 0; w < kinds; w++) {
        for (int before = 0; before < 3; before++) { /* nothing, shutdown, shutdown(wait) */
            footprint was = footprint_now();
            cf_executor *ex = create(WORKERS);
            EXPECT_EQ(take(submit(ex, &square_task, &(uint64_t){4})), 16);
            if (before > 0) {
                EXPECT(CF_OK, cf_executor_shutdown(ex, before == 2, false));
            }
            EXPECT(CF_OK, ways[w].end(ex));
            EXPECT(CF_OK, ways[w].end(ex));
            expect_shut_down(ex);
            EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
            EXPECT(CF_OK, ways[w].end(ex));
            cf_executor_destroy(ex);
            footprint_check(was);
        }
    }
}

Test(terminate, before_the_first_task) {
    const size_t kinds = row()->survives_worker_death ? COUNT_OF(ways) : 1;
    for (size_t w = 0; w < kinds; w++) {
        footprint before = footprint_now();
        cf_executor *ex = create(WORKERS);
        EXPECT(CF_OK, ways[w].end(ex));
        expect_shut_down(ex);
        cf_executor_destroy(ex);
        footprint_check(before);
    }
}

/* What is pending after a shutdown that keeps it is cancelled by the end in a hurry. */
Test(terminate, cancels_what_a_shutdown_has_kept) {
    NEEDS(survives_worker_death);
    for (size_t w = 0; w < COUNT_OF(ways); w++) {
        scene s = scene_open(&blocker_task, 0);
        EXPECT(CF_OK, cf_executor_shutdown(s.ex, false, false));
        EXPECT_EQ(cf_future_state(s.queued[0]), CF_PENDING);
        EXPECT(CF_OK, ways[w].end(s.ex));
        expect_queue_cancelled(&s);
        for (size_t i = 0; i < WORKERS; i++) {
            expect_ended_by(s.held[i], ways[w].signal);
        }
        scene_close(&s);
    }
}

typedef struct caller {
    pthread_t thread;
    cf_executor *ex;
    ending *end;
    counter *start;
    counter done;
    cf_status status;
} caller;

static void *call_with_others(void *arg) {
    caller *c = arg;
    counter_wait(c->start, 1);
    c->status = c->end(c->ex);
    return NULL;
}

/* The pool is gone whoever was first; threads are let go by their gate. */
static void expect_gone(scene *s) {
    counter_add(&s->c[1], 1);
    expect_shut_down(s->ex);
    expect_queue_cancelled(s);
    for (size_t i = 0; i < WORKERS; i++) {
        cf_status status = cf_future_result(s->held[i], LONG_WAIT, NULL);
        cr_assert(status == CF_OK || status == CF_EWORKER, "%s", cf_status_name(status));
    }
    scene_close(s);
}

Test(terminate, from_eight_threads_at_once) {
    NEEDS(runs_beside_caller);
    enum {
        THREADS = 8
    };
    const bool kills = row()->survives_worker_death;
    for (int round = 0; round < 10; round++) {
        caller callers[THREADS];
        counter start = {0};
        scene s = scene_open(&blocker_task, 0);
        for (size_t i = 0; i < THREADS; i++) {
            callers[i] = (caller){.ex = s.ex, .end = ways[kills ? i % 2 : 0].end, .start = &start};
            cr_assert_eq(pthread_create(&callers[i].thread, NULL, call_with_others, &callers[i]),
                         0);
        }
        counter_add(&start, 1);
        for (size_t i = 0; i < THREADS; i++) {
            cr_assert_eq(pthread_join(callers[i].thread, NULL), 0);
            EXPECT(CF_OK, callers[i].status);
        }
        expect_gone(&s);
    }
}

static void end_in_callback(cf_future *future, void *context) {
    (void)future;
    caller *c = context;
    c->status = c->end(c->ex);
    counter_add(&c->done, 1);
}

Test(terminate, from_a_callback) {
    NEEDS(runs_beside_caller);
    const size_t kinds = row()->survives_worker_death ? COUNT_OF(ways) : 1;
    for (size_t w = 0; w < kinds; w++) {
        scene s = scene_open(&blocker_task, 0);
        caller c = {.ex = s.ex, .end = ways[w].end};
        EXPECT(CF_OK, cf_future_add_done_callback(s.queued[0], end_in_callback, &c));
        cr_assert(cf_future_cancel(s.queued[0]));
        cr_assert(counter_wait(&c.done, 1), "the callback does not end");
        EXPECT(CF_OK, c.status);
        expect_gone(&s);
    }
}

static void count_call(cf_future *future, void *context) {
    if (cf_future_done(future)) {
        counter_add(context, 1);
    }
}

Test(terminate, calls_the_callbacks_of_all) {
    NEEDS(runs_beside_caller);
    const size_t kinds = row()->survives_worker_death ? COUNT_OF(ways) : 1;
    for (size_t w = 0; w < kinds; w++) {
        counter called = {0};
        scene s = scene_open(&blocker_task, 0);
        for (size_t i = 0; i < QUEUED; i++) {
            EXPECT(CF_OK, cf_future_add_done_callback(s.queued[i], count_call, &called));
        }
        for (size_t i = 0; i < WORKERS; i++) {
            EXPECT(CF_OK, cf_future_add_done_callback(s.held[i], count_call, &called));
        }
        EXPECT(CF_OK, ways[w].end(s.ex));
        expect_gone(&s);
        EXPECT_EQ(counter_get(&called), WORKERS + QUEUED);
    }
}

static int run_end_of_another(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    const caller *c = arg;
    *(uint64_t *)result = c->end(c->ex);
    return 0;
}

Test(terminate, from_a_task_of_another_executor) {
    NEEDS(runs_beside_caller);
    const cf_task task = {
        .run = run_end_of_another, .arg_size = sizeof(caller), .result_size = sizeof(uint64_t)};
    const size_t kinds = row()->survives_worker_death ? COUNT_OF(ways) : 1;
    for (size_t w = 0; w < kinds; w++) {
        scene s = scene_open(&blocker_task, 0);
        cf_executor *other = NULL;
        caller c = {.ex = s.ex, .end = ways[w].end};
        EXPECT(CF_OK, cf_thread_pool_create(&(cf_pool_options){.max_workers = 1}, &other));
        EXPECT_EQ(take(submit(other, &task, &c)), CF_OK);
        EXPECT_EQ(take(submit(other, &square_task, &(uint64_t){4})), 16);
        cf_executor_destroy(other);
        expect_gone(&s);
    }
}

/* ---- refusals -------------------------------------------------------------------------------- */

Test(terminate, refuses_what_is_none) {
    EXPECT(CF_EINVAL, cf_executor_terminate_workers(NULL));
    EXPECT(CF_EINVAL, cf_executor_kill_workers(NULL));
}

static int child_is_refused(void *context) {
    cf_executor *ex = context;
    HOST_CHECK(cf_executor_terminate_workers(ex) == CF_EFORKED);
    HOST_CHECK(cf_executor_kill_workers(ex) == CF_EFORKED);
    return 0;
}

Test(terminate, is_refused_in_a_forked_child) {
    cf_executor *ex = create(1);
    EXPECT_EQ(take(submit(ex, &square_task, &(uint64_t){3})), 9);
    EXPECT_HOST_OK(host_run(child_is_refused, ex));
    EXPECT_EQ(take(submit(ex, &square_task, &(uint64_t){4})), 16);
    cf_executor_destroy(ex);
}
