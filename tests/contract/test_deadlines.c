/* Runs over their time: each ends with CF_EDEADLINE and costs nothing but itself. */
#include "rows.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(deadlines, .timeout = TEST_SECONDS);

#define LIMIT      (100 * MILLISECOND)
#define LONG_LIMIT (6 * LIMIT) /* where a test has to do something in the meantime */
#define SOON       SECOND      /* from a deadline to who waits for it, on a busy machine */

static cf_future *submit_limited(cf_executor *ex, const cf_task *task, const void *arg,
                                 cf_submit_options options) {
    cf_future *future = NULL;
    EXPECT(CF_OK, cf_executor_submit_with(ex, task, arg, &options, &future));
    return future;
}

static cf_stats stats_of(cf_executor *ex) {
    cf_stats stats;
    EXPECT(CF_OK, cf_executor_stats(ex, &stats));
    return stats;
}

static void expect_over_its_time(cf_future *future, int64_t limit_ns) {
    uint64_t untouched = 42;
    cf_exception why;
    EXPECT(CF_EDEADLINE, cf_future_result(future, LONG_WAIT, &untouched));
    EXPECT_EQ(untouched, 42);
    EXPECT(CF_OK, cf_future_exception(future, 0, &why));
    EXPECT(CF_EDEADLINE, why.status);
    EXPECT_EQ(why.timeout_ns, limit_ns);
    EXPECT_EQ(cf_future_state(future), CF_FINISHED);
    cr_assert_not(cf_future_cancel(future));
}

/* ---- tasks ----------------------------------------------------------------------------------- */

/* Asks all the time whether it is still wanted. */
static int run_until_cancelled(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg;
    const int64_t end = now_ns() + LONG_WAIT;
    while (!cf_task_cancelled(ctx)) {
        if (now_ns() > end) {
            return ETIMEDOUT;
        }
        sched_yield();
    }
    *(uint64_t *)result = 7;
    return 0;
}

static const cf_task until_cancelled_task = {
    .name = "until cancelled", .run = run_until_cancelled, .result_size = sizeof(uint64_t)};

/* Asks nothing, returns after a time. */
typedef struct spin {
    int64_t ns;
    int error;
    uint64_t value;
} spin;

static int run_spin(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    const spin *s = arg;
    spin_for(s->ns);
    *(uint64_t *)result = s->value;
    return s->error;
}

static const cf_task spin_task = {
    .name = "spin", .run = run_spin, .arg_size = sizeof(spin), .result_size = sizeof(uint64_t)};

/* Asks nothing and never returns: for processes alone. */
typedef struct hang {
    counter *begun;
    _Atomic pid_t *pid;
} hang;

static int run_hang(const void *arg, void *result, cf_task_context *ctx) {
    (void)result;
    (void)ctx;
    const hang *h = arg;
    atomic_store(h->pid, getpid());
    counter_add(h->begun, 1);
    for (volatile unsigned spins = 0;; spins++) {}
    return 0;
}

static const cf_task hang_task = {.name = "hang", .run = run_hang, .arg_size = sizeof(hang)};

/* ---- what a run over its time looks like ----------------------------------------------------- */

Test(deadlines, a_run_over_its_time_says_so) {
    char text[100];
    cf_exception why;
    cf_info info;
    cf_executor *ex = create(2);
    int64_t start = now_ns();
    cf_future *f =
        submit_limited(ex, &until_cancelled_task, NULL, (cf_submit_options){.timeout_ns = LIMIT});
    expect_over_its_time(f, LIMIT);
    int64_t took = now_ns() - start;
    cr_assert(took >= LIMIT && took < LIMIT + SOON, "%lld ns", (long long)took);
    EXPECT(CF_OK, cf_future_exception(f, 0, &why));
    EXPECT_EQ(why.worker, 0);
    cr_assert_str_eq(cf_exception_describe(&why, text, sizeof text), "timed out after 0.1s");
    EXPECT(CF_OK, cf_future_info(f, &info));
    EXPECT_EQ(info.attempts, 1);
    cf_stats s = stats_of(ex);
    EXPECT_EQ(s.timed_out, 1);
    EXPECT_EQ(s.failed, 1);
    EXPECT_EQ(s.finished, 1);
    EXPECT_EQ(take(submit(ex, &square_task, &(uint64_t){9})), 81);
    cf_future_release(f);
    cf_executor_destroy(ex);
}

Test(deadlines, a_late_return_is_over_its_time) {
    cf_executor *ex = create(1);
    const spin late[] = {{.ns = 60 * MILLISECOND, .value = 1},
                         {.ns = 60 * MILLISECOND, .error = EIO}};
    for (size_t i = 0; i < COUNT_OF(late); i++) {
        cf_future *f = submit_limited(ex, &spin_task, &late[i],
                                      (cf_submit_options){.timeout_ns = 10 * MILLISECOND});
        expect_over_its_time(f, 10 * MILLISECOND);
        cf_future_release(f);
    }
    EXPECT_EQ(take(submit(ex, &square_task, &(uint64_t){9})), 81);
    EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
    EXPECT_EQ(stats_of(ex).timed_out, 2);
    EXPECT_EQ(stats_of(ex).failed, 2);
    EXPECT_EQ(stats_of(ex).finished, 3);
    cf_executor_destroy(ex);
}

Test(deadlines, none_by_default) {
    static const int64_t none[] = {0, CF_FOREVER, -1000, INT64_MIN, INT64_MAX};
    cf_executor *ex = create(1);
    for (size_t i = 0; i < COUNT_OF(none); i++) {
        spin s = {.ns = 20 * MILLISECOND, .value = i};
        EXPECT_EQ(
            take(submit_limited(ex, &spin_task, &s, (cf_submit_options){.timeout_ns = none[i]})),
            i);
    }
    EXPECT_EQ(stats_of(ex).timed_out, 0);
    cf_executor_destroy(ex);
}

static int run_ask(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg;
    *(uint64_t *)result = cf_task_cancelled(ctx);
    return 0;
}

static const cf_task ask_task = {.run = run_ask, .result_size = sizeof(uint64_t)};

Test(deadlines, that_are_not_reached_change_nothing) {
    enum {
        N = 2000
    };
    cf_future *futures[N];
    cf_executor *ex = create(2);
    for (uint64_t i = 0; i < N; i++) {
        futures[i] = submit_limited(ex, &square_task, &i,
                                    (cf_submit_options){.timeout_ns = LONG_WAIT + (int64_t)i});
    }
    for (uint64_t i = 0; i < N; i++) {
        EXPECT_EQ(take(futures[i]), i * i);
    }
    EXPECT_EQ(take(submit(ex, &ask_task, NULL)), 0);
    EXPECT_EQ(
        take(submit_limited(ex, &ask_task, NULL, (cf_submit_options){.timeout_ns = LONG_WAIT})), 0);
    EXPECT_EQ(stats_of(ex).failed, 0);
    cf_executor_destroy(ex);
}

Test(deadlines, count_from_the_start_of_the_run) {
    NEEDS(runs_beside_caller);
    counter *c = shared_alloc(3 * sizeof *c);
    cf_executor *ex = create(1);
    blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2], .value = 1};
    cf_future *held = submit(ex, &blocker_task, &b);
    cr_assert(counter_wait(&c[0], 1));
    cf_future *waits = submit_limited(ex, &square_task, &(uint64_t){3},
                                      (cf_submit_options){.timeout_ns = 300 * MILLISECOND});
    spin_for(400 * MILLISECOND);
    EXPECT_EQ(cf_future_state(waits), CF_PENDING);
    counter_add(&c[1], 1);
    EXPECT_EQ(take(waits), 9);
    EXPECT_EQ(take(held), 1);
    cf_executor_destroy(ex);
    shared_free(c, 3 * sizeof *c);
}

Test(deadlines, spare_a_task_without_one) {
    NEEDS(runs_beside_caller);
    counter *c = shared_alloc(3 * sizeof *c);
    cf_executor *ex = create(2);
    blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2], .value = 5};
    cf_future *held = submit(ex, &blocker_task, &b);
    cr_assert(counter_wait(&c[0], 1));
    for (int i = 0; i < 5; i++) {
        cf_future *f = submit_limited(ex, &until_cancelled_task, NULL,
                                      (cf_submit_options){.timeout_ns = 20 * MILLISECOND});
        expect_over_its_time(f, 20 * MILLISECOND);
        cf_future_release(f);
    }
    EXPECT_EQ(cf_future_state(held), CF_RUNNING);
    counter_add(&c[1], 1);
    EXPECT_EQ(take(held), 5);
    EXPECT_EQ(stats_of(ex).timed_out, 5);
    cf_executor_destroy(ex);
    shared_free(c, 3 * sizeof *c);
}

Test(deadlines, of_tasks_that_nobody_holds) {
    enum {
        N = 8
    };
    footprint before = footprint_now();
    cf_executor *ex = create(2);
    for (int i = 0; i < N; i++) {
        cf_submit_options limit = {.timeout_ns = 20 * MILLISECOND};
        if (i % 2) {
            EXPECT(CF_OK, cf_executor_submit_with(ex, &until_cancelled_task, NULL, &limit, NULL));
        } else {
            cf_future_release(submit_limited(ex, &until_cancelled_task, NULL, limit));
        }
    }
    EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
    EXPECT_EQ(stats_of(ex).timed_out, N);
    EXPECT_EQ(stats_of(ex).finished, N);
    EXPECT_EQ(stats_of(ex).unseen, N);
    cf_executor_destroy(ex);
    footprint_check(before);
}

/* ---- many ------------------------------------------------------------------------------------ */

Test(deadlines, many_at_once_hit_the_right_ones) {
    enum {
        N = 1000,
        EVERY = 10
    };
    cf_future *futures[N];
    cf_executor *ex = create(2);
    for (uint64_t i = 0; i < N; i++) {
        bool hangs = i % EVERY == 3;
        futures[i] =
            submit_limited(ex, hangs ? &until_cancelled_task : &square_task, hangs ? NULL : &i,
                           (cf_submit_options){.timeout_ns = hangs ? 20 * MILLISECOND : LONG_WAIT});
    }
    for (uint64_t i = 0; i < N; i++) {
        if (i % EVERY == 3) {
            expect_over_its_time(futures[i], 20 * MILLISECOND);
            cf_future_release(futures[i]);
        } else {
            EXPECT_EQ(take(futures[i]), i * i);
        }
    }
    EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
    cf_stats s = stats_of(ex);
    EXPECT_EQ(s.timed_out, N / EVERY);
    EXPECT_EQ(s.failed, N / EVERY);
    EXPECT_EQ(s.finished, N);
    EXPECT_EQ(s.pending + s.running + s.cancelled + s.retries, 0);
    cf_executor_destroy(ex);
}

static void count_call(cf_future *future, void *context) {
    (void)future;
    counter_add(context, 1);
}

/* Runs that end about when their time does. Each has one end, told once, and it stays. */
Test(deadlines, against_the_return_have_one_winner) {
    enum {
        BATCH = 20
    };
    uint64_t seed = test_seed("deadlines/against_the_return_have_one_winner");
    const size_t rounds = scaled(30);
    size_t timed_out = 0;
    counter called = {0};
    cf_executor *ex = create(2);
    for (size_t round = 0; round < rounds; round++) {
        cf_future *futures[BATCH];
        cf_status ends[BATCH];
        for (size_t i = 0; i < BATCH; i++) {
            int64_t limit = MILLISECOND;
            int64_t off = (int64_t)(random_next(&seed) % (100 * MICROSECOND)) - 80 * MICROSECOND;
            spin s = {.ns = limit + off, .value = i};
            futures[i] =
                submit_limited(ex, &spin_task, &s, (cf_submit_options){.timeout_ns = limit});
            EXPECT(CF_OK, cf_future_add_done_callback(futures[i], count_call, &called));
        }
        for (size_t i = 0; i < BATCH; i++) {
            uint64_t value = 42;
            ends[i] = cf_future_result(futures[i], LONG_WAIT, &value);
            cr_assert(ends[i] == CF_OK || ends[i] == CF_EDEADLINE, "%s", cf_status_name(ends[i]));
            EXPECT_EQ(value, ends[i] == CF_OK ? i : 42);
            timed_out += ends[i] == CF_EDEADLINE;
        }
        spin_for(MILLISECOND); /* what comes late has its chance */
        for (size_t i = 0; i < BATCH; i++) {
            uint64_t value = 42;
            EXPECT(ends[i], cf_future_result(futures[i], 0, &value));
            EXPECT_EQ(value, ends[i] == CF_OK ? i : 42);
            cf_future_release(futures[i]);
        }
    }
    EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
    EXPECT_EQ(counter_get(&called), rounds * BATCH);
    cf_stats s = stats_of(ex);
    fprintf(stderr, "%zu of %zu timed out\n", timed_out, rounds * BATCH);
    EXPECT_EQ(s.timed_out, timed_out);
    EXPECT_EQ(s.failed, timed_out);
    EXPECT_EQ(s.finished, rounds * BATCH);
    EXPECT_EQ(s.pending + s.running + s.cancelled + s.retries, 0);
    cf_executor_destroy(ex);
}

/* ---- workers that are processes -------------------------------------------------------------- */

typedef struct shared {
    counter begun;
    counter gate;
    counter ran;
    _Atomic pid_t pid;
    _Atomic pid_t grandchild;
} shared;

Test(deadlines, kill_a_hung_process_and_nothing_else) {
    NEEDS(survives_worker_death);
    footprint before = footprint_now();
    shared *m = shared_alloc(sizeof *m);
    cf_executor *ex = create(2);
    blocker b = {.begun = &m->begun, .gate = &m->gate, .ran = &m->ran, .value = 5};
    cf_future *held = submit(ex, &blocker_task, &b);
    cr_assert(counter_wait(&m->begun, 1));
    hang h = {.begun = &m->begun, .pid = &m->pid};
    int64_t start = now_ns();
    cf_future *f = submit_limited(ex, &hang_task, &h, (cf_submit_options){.timeout_ns = LIMIT});
    expect_over_its_time(f, LIMIT);
    int64_t took = now_ns() - start;
    cr_assert(took >= LIMIT && took < LIMIT + SOON, "%lld ns", (long long)took);
    pid_t hung = atomic_load(&m->pid);
    cr_assert(hung > 1 && process_ends(hung, SOON));
    for (uint64_t i = 0; i < 100; i++) { /* by its successor: the other worker is held */
        EXPECT_EQ(take(submit(ex, &square_task, &i)), i * i);
    }
    cf_stats s = stats_of(ex);
    EXPECT_EQ(s.restarts, 1);
    EXPECT_EQ(s.retries, 0);
    EXPECT_EQ(s.timed_out, 1);
    EXPECT_EQ(cf_future_state(held), CF_RUNNING);
    counter_add(&m->gate, 1);
    EXPECT_EQ(take(held), 5);
    cf_future_release(f);
    cf_executor_destroy(ex);
    shared_free(m, sizeof *m);
    footprint_check(before);
}

Test(deadlines, reach_a_stopped_process) {
    NEEDS(survives_worker_death);
    shared *m = shared_alloc(sizeof *m);
    cf_executor *ex = create(1);
    hang h = {.begun = &m->begun, .pid = &m->pid};
    cf_future *f =
        submit_limited(ex, &hang_task, &h, (cf_submit_options){.timeout_ns = LONG_LIMIT});
    cr_assert(counter_wait(&m->begun, 1));
    pid_t hung = atomic_load(&m->pid);
    cr_assert(hung > 1 && kill(hung, SIGSTOP) == 0);
    expect_over_its_time(f, LONG_LIMIT);
    cr_assert(process_ends(hung, SOON));
    EXPECT_EQ(take(submit(ex, &square_task, &(uint64_t){9})), 81);
    cf_future_release(f);
    cf_executor_destroy(ex);
    shared_free(m, sizeof *m);
}

static int run_sleeper(const void *arg, void *result, cf_task_context *ctx) {
    shared *m = *(shared *const *)arg;
    pid_t child = fork();
    if (child == 0) {
        execlp("sleep", "sleep", "60", (char *)NULL);
        _exit(127);
    }
    atomic_store(&m->grandchild, child);
    return run_hang(&(hang){.begun = &m->begun, .pid = &m->pid}, result, ctx);
}

static const cf_task sleeper_task = {.run = run_sleeper, .arg_size = sizeof(shared *)};

Test(deadlines, take_along_what_the_task_has_started) {
    NEEDS(survives_worker_death);
    shared *m = shared_alloc(sizeof *m);
    cf_executor *ex = create(1);
    cf_future *f =
        submit_limited(ex, &sleeper_task, &m, (cf_submit_options){.timeout_ns = LONG_LIMIT});
    cr_assert(counter_wait(&m->begun, 1));
    pid_t grandchild = atomic_load(&m->grandchild);
    cr_assert(grandchild > 1 && process_alive(grandchild));
    expect_over_its_time(f, LONG_LIMIT);
    cr_assert(process_ends(grandchild, SOON), "process %d lives on", grandchild);
    cf_future_release(f);
    cf_executor_destroy(ex);
    shared_free(m, sizeof *m);
}

/* Dies in the first attempt; in the second it returns, or hangs. */
static int run_second_attempt(const void *arg, void *result, cf_task_context *ctx) {
    const bool hangs = *(const bool *)arg;
    if (cf_task_attempt(ctx) == 1) {
        spin_for(LONG_LIMIT * 2 / 3); /* the next run has all of its time nevertheless */
        raise(SIGKILL);
    }
    spin_for(hangs ? LONG_WAIT : LONG_LIMIT * 2 / 3);
    *(uint64_t *)result = 11;
    return 0;
}

static const cf_task second_attempt_task = {
    .run = run_second_attempt, .arg_size = sizeof(bool), .result_size = sizeof(uint64_t)};

static unsigned attempts_of(const cf_future *future) {
    cf_info info;
    EXPECT(CF_OK, cf_future_info(future, &info));
    return info.attempts;
}

Test(deadlines, are_not_retried_but_deaths_are) {
    NEEDS(survives_worker_death);
    const cf_submit_options options = {.timeout_ns = LONG_LIMIT, .retries = 3};
    shared *m = shared_alloc(sizeof *m);
    cf_executor *ex = create(1);
    cf_future *f = submit_limited(ex, &second_attempt_task, &(bool){false}, options);
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, NULL));
    EXPECT_EQ(attempts_of(f), 2);
    EXPECT_EQ(take(f), 11);

    f = submit_limited(ex, &second_attempt_task, &(bool){true}, options);
    expect_over_its_time(f, options.timeout_ns);
    EXPECT_EQ(attempts_of(f), 2);
    cf_future_release(f);

    hang h = {.begun = &m->begun, .pid = &m->pid};
    f = submit_limited(ex, &hang_task, &h, options);
    expect_over_its_time(f, options.timeout_ns);
    EXPECT_EQ(attempts_of(f), 1);
    EXPECT_EQ(counter_get(&m->begun), 1);
    cf_future_release(f);

    EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
    cf_stats s = stats_of(ex);
    EXPECT_EQ(s.retries, 2);
    EXPECT_EQ(s.timed_out, 2);
    EXPECT_EQ(s.failed, 2);
    EXPECT_EQ(s.finished, 3);
    cf_executor_destroy(ex);
    shared_free(m, sizeof *m);
}

/* As hang, and no SIGTERM ends it. */
static int run_unterminated(const void *arg, void *result, cf_task_context *ctx) {
    signal(SIGTERM, SIG_IGN);
    return run_hang(arg, result, ctx);
}

static const cf_task unterminated_task = {.run = run_unterminated, .arg_size = sizeof(hang)};

static pid_t nursery_of(cf_executor *ex) {
    whereabouts w;
    cf_future *f = submit(ex, &whereabouts_task, NULL);
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, &w));
    cf_future_release(f);
    cr_assert(w.parent > 1 && w.parent != getpid());
    return w.parent;
}

/* The nursery is slow, and comes to the kill only after it has been told to terminate too. */
Test(deadlines, are_not_forgotten_over_a_terminate) {
    NEEDS(survives_worker_death);
    footprint before = footprint_now();
    shared *m = shared_alloc(sizeof *m);
    cf_executor *ex = create(1);
    pid_t nursery = nursery_of(ex);
    hang h = {.begun = &m->begun, .pid = &m->pid};
    cf_future *f =
        submit_limited(ex, &unterminated_task, &h, (cf_submit_options){.timeout_ns = LIMIT});
    cr_assert(counter_wait(&m->begun, 1));
    cr_assert_eq(kill(nursery, SIGSTOP), 0);
    spin_for(2 * LIMIT);
    EXPECT(CF_OK, cf_executor_terminate_workers(ex));
    cr_assert_eq(kill(nursery, SIGCONT), 0);
    expect_over_its_time(f, LIMIT);
    cf_future_release(f);
    cf_executor_destroy(ex);
    shared_free(m, sizeof *m);
    footprint_check(before);
}

Test(deadlines, let_shutdown_end) {
    NEEDS(survives_worker_death);
    footprint before = footprint_now();
    shared *m = shared_alloc(sizeof *m);
    cf_executor *ex = create(2);
    hang h = {.begun = &m->begun, .pid = &m->pid};
    cf_future *futures[4];
    for (size_t i = 0; i < COUNT_OF(futures); i++) { /* two run, two follow them */
        futures[i] = submit_limited(ex, &hang_task, &h, (cf_submit_options){.timeout_ns = LIMIT});
    }
    EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
    for (size_t i = 0; i < COUNT_OF(futures); i++) {
        EXPECT(CF_EDEADLINE, cf_future_result(futures[i], 0, NULL));
    }
    cf_executor_destroy(ex);
    for (size_t i = 0; i < COUNT_OF(futures); i++) { /* they outlive it, and what they tell */
        expect_over_its_time(futures[i], LIMIT);
        cf_future_release(futures[i]);
    }
    shared_free(m, sizeof *m);
    footprint_check(before);
}

/* ---- workers that are threads ---------------------------------------------------------------- */

static bool is_thread_pool(void) {
    return row()->shares_memory && row()->runs_beside_caller;
}

#define NEEDS_THREADS                                                                              \
    do {                                                                                           \
        if (!is_thread_pool()) {                                                                   \
            cr_skip_test("%s: its workers are no threads", row()->name);                           \
        }                                                                                          \
    } while (0)

/* Overruns its time, tells when it has been told so, and then waits for its gate. Fills its result
 * only after that, when nobody may read it any more. */
typedef struct straggler {
    counter *begun;
    counter *told;
    counter *gate;
    counter *wrote;
} straggler;

static int run_straggler(const void *arg, void *result, cf_task_context *ctx) {
    const straggler s = *(const straggler *)arg;
    counter_add(s.begun, 1);
    const int64_t end = now_ns() + LONG_WAIT;
    while (!cf_task_cancelled(ctx) && now_ns() < end) {
        sched_yield();
    }
    counter_add(s.told, 1);
    counter_wait(s.gate, 1);
    memset(result, 0xa5, cf_task_room(ctx));
    counter_add(s.wrote, 1);
    return 0;
}

static cf_task straggler_task(size_t result_size) {
    return (cf_task){.name = "straggler",
                     .run = run_straggler,
                     .arg_size = sizeof(straggler),
                     .result_size = result_size};
}

typedef struct late_scene {
    counter begun;
    counter told;
    counter gate;
    counter wrote;
    cf_executor *ex;
} late_scene;

static cf_future *submit_straggler(late_scene *l, size_t result_size) {
    straggler s = {.begun = &l->begun, .told = &l->told, .gate = &l->gate, .wrote = &l->wrote};
    cf_task task = straggler_task(result_size);
    return submit_limited(l->ex, &task, &s, (cf_submit_options){.timeout_ns = LIMIT});
}

Test(deadlines, do_not_wait_for_a_thread) {
    NEEDS_THREADS;
    late_scene l = {.ex = create_with((cf_pool_options){.max_workers = 2, .record_times = true})};
    cf_info info, later;
    int64_t start = now_ns();
    cf_future *f = submit_straggler(&l, sizeof(uint64_t));
    expect_over_its_time(f, LIMIT);
    int64_t took = now_ns() - start;
    cr_assert(took >= LIMIT && took < LIMIT + SOON, "%lld ns", (long long)took);
    EXPECT(CF_OK, cf_future_info(f, &info));
    cr_assert(info.finished_ns - info.started_ns >= LIMIT);
    cr_assert(counter_wait(&l.told, 1));
    EXPECT_EQ(counter_get(&l.wrote), 0);
    EXPECT_EQ(take(submit(l.ex, &square_task, &(uint64_t){9})), 81); /* on the other thread */
    counter_add(&l.gate, 1);
    EXPECT(CF_OK, cf_executor_shutdown(l.ex, true, false));
    EXPECT_EQ(counter_get(&l.wrote), 1); /* and nothing of that is told any more */
    expect_over_its_time(f, LIMIT);
    EXPECT(CF_OK, cf_future_info(f, &later));
    EXPECT_EQ(later.finished_ns, info.finished_ns);
    cf_future_release(f);
    cf_executor_destroy(l.ex);
}

/* The task is done, its thread is not: what waits behind it is pending all the same. */
Test(deadlines, count_a_task_once_while_its_thread_still_runs) {
    NEEDS_THREADS;
    enum {
        N = 3
    };
    late_scene l = {.ex = create(1)};
    cf_future *f = submit_straggler(&l, sizeof(uint64_t)), *futures[N];
    expect_over_its_time(f, LIMIT);
    for (uint64_t i = 0; i < N; i++) {
        futures[i] = submit(l.ex, &square_task, &i);
    }
    cf_stats s = stats_of(l.ex);
    EXPECT_EQ(s.submitted, 1 + N);
    EXPECT_EQ(s.finished, 1);
    EXPECT_EQ(s.running, 0);
    EXPECT_EQ(s.pending, N);
    counter_add(&l.gate, 1);
    for (uint64_t i = 0; i < N; i++) {
        EXPECT_EQ(take(futures[i]), i * i);
    }
    s = stats_of(l.ex);
    EXPECT_EQ(s.finished, 1 + N);
    EXPECT_EQ(s.timed_out, 1);
    EXPECT_EQ(s.failed, 1);
    cf_future_release(f);
    cf_executor_destroy(l.ex);
}

static int run_fill(const void *arg, void *result, cf_task_context *ctx) {
    memset(result, *(const unsigned char *)arg, cf_task_room(ctx));
    return 0;
}

static bool is_filled(const unsigned char *bytes, size_t size, unsigned char with) {
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != with) {
            return false;
        }
    }
    return true;
}

/* A late thread writes into memory that nobody else has been given meanwhile. */
static void write_late(size_t result_size) {
    enum {
        STRAGGLERS = 3,
        N = 3000
    };
    const cf_task fill_task = {.run = run_fill, .arg_size = 1, .result_size = result_size};
    late_scene l = {.ex = create(STRAGGLERS + 1)};
    cf_future *late[STRAGGLERS], *futures[N];
    unsigned char *result = malloc(result_size);
    for (size_t i = 0; i < STRAGGLERS; i++) {
        late[i] = submit_straggler(&l, result_size);
    }
    for (size_t i = 0; i < STRAGGLERS; i++) {
        EXPECT(CF_EDEADLINE, cf_future_result(late[i], LONG_WAIT, result));
        cf_future_release(late[i]); /* as far as the caller is concerned it can be used again */
    }
    for (size_t i = 0; i < N; i++) {
        futures[i] = submit(l.ex, &fill_task, &(unsigned char){(unsigned char)(i % 100)});
    }
    EXPECT(CF_OK, cf_wait(futures, N, CF_ALL_COMPLETED, LONG_WAIT, NULL));
    EXPECT_EQ(counter_get(&l.wrote), 0);
    counter_add(&l.gate, 1);
    cr_assert(counter_wait(&l.wrote, STRAGGLERS));
    for (size_t i = 0; i < N; i++) {
        EXPECT(CF_OK, cf_future_result(futures[i], 0, result));
        cr_assert(is_filled(result, result_size, (unsigned char)(i % 100)), "result %zu", i);
        cf_future_release(futures[i]);
    }
    cf_executor_destroy(l.ex);
    free(result);
}

Test(deadlines, protect_others_from_a_late_small_result) {
    NEEDS_THREADS;
    write_late(sizeof(uint64_t));
}

Test(deadlines, protect_others_from_a_late_large_result) {
    NEEDS_THREADS;
    write_late(2 * PAGE);
}

/* Opens the gate when the executor has been shut down. */
static void *open_gate_after_shutdown(void *arg) {
    late_scene *l = arg;
    while (cf_executor_submit(l->ex, &square_task, &(uint64_t){1}, NULL) != CF_ESHUTDOWN) {
        sched_yield();
    }
    counter_add(&l->gate, 1);
    return NULL;
}

Test(deadlines, let_destroy_wait_for_the_thread) {
    NEEDS_THREADS;
    footprint before = footprint_now();
    pthread_t opener;
    late_scene l = {.ex = create(1)};
    cf_future *f = submit_straggler(&l, PAGE);
    expect_over_its_time(f, LIMIT);
    cr_assert_eq(pthread_create(&opener, NULL, open_gate_after_shutdown, &l), 0);
    EXPECT(CF_OK, cf_executor_shutdown(l.ex, true, false));
    EXPECT_EQ(counter_get(&l.wrote), 1);
    cr_assert_eq(pthread_join(opener, NULL), 0);
    cf_executor_destroy(l.ex);
    expect_over_its_time(f, LIMIT);
    cf_future_release(f);
    footprint_check(before);
}

/* ---- tasks within tasks ---------------------------------------------------------------------- */

/* Runs another task of its own executor, then perhaps overruns its own time. */
typedef struct outer {
    cf_executor *ex;
    const cf_task *task;
    const void *arg;
    int64_t inner_limit;
    bool stays; /* until it is told that its own time is over */
    cf_status *inner;
    bool *told_early; /* it was told so before its time was over */
} outer;

static int run_outer(const void *arg, void *result, cf_task_context *ctx) {
    const outer *o = arg;
    cf_future *f = NULL;
    cf_submit_options options = {.timeout_ns = o->inner_limit};
    cf_status status = cf_executor_submit_with(o->ex, o->task, o->arg, &options, &f);
    *o->inner = status == CF_OK ? cf_future_result(f, CF_FOREVER, NULL) : status;
    cf_future_release(f);
    *o->told_early = cf_task_cancelled(ctx);
    return o->stays ? run_until_cancelled(NULL, result, ctx) : 0;
}

static const cf_task outer_task = {
    .name = "outer", .run = run_outer, .arg_size = sizeof(outer), .result_size = sizeof(uint64_t)};

Test(deadlines, of_a_task_within_a_task) {
    NEEDS(shares_memory);
    cf_executor *ex = create(1);
    for (int stays = 0; stays < 2; stays++) {
        cf_status inner = CF_EINVAL;
        bool told_early = true;
        outer o = {.ex = ex,
                   .task = &until_cancelled_task,
                   .inner_limit = 20 * MILLISECOND,
                   .stays = stays,
                   .inner = &inner,
                   .told_early = &told_early};
        int64_t limit = stays ? 10 * LIMIT : LONG_WAIT;
        cf_future *f =
            submit_limited(ex, &outer_task, &o, (cf_submit_options){.timeout_ns = limit});
        if (stays) {
            expect_over_its_time(f, limit);
        }
        EXPECT(stays ? CF_EDEADLINE : CF_OK, cf_future_result(f, LONG_WAIT, NULL));
        EXPECT(CF_EDEADLINE, inner);
        cr_assert_not(told_early);
        cf_future_release(f);
    }
    EXPECT_EQ(take(submit(ex, &square_task, &(uint64_t){9})), 81);
    EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
    EXPECT_EQ(stats_of(ex).timed_out, 3);
    cf_executor_destroy(ex);
}

Test(deadlines, of_a_task_around_a_task) {
    NEEDS(shares_memory);
    cf_executor *ex = create(1);
    cf_status inner = CF_EINVAL;
    bool told_early = false;
    spin longer = {.ns = 2 * LIMIT, .value = 3};
    outer o = {.ex = ex,
               .task = &spin_task,
               .arg = &longer,
               .inner_limit = LONG_WAIT,
               .inner = &inner,
               .told_early = &told_early};
    cf_future *f = submit_limited(ex, &outer_task, &o, (cf_submit_options){.timeout_ns = LIMIT});
    expect_over_its_time(f, LIMIT);
    cf_future_release(f);
    EXPECT_EQ(take(submit(ex, &square_task, &(uint64_t){9})), 81); /* after it has returned */
    EXPECT(CF_OK, inner);
    cr_assert(told_early);
    cf_executor_destroy(ex);
}

/* Two runs on one thread, each with a limit of its own, and the inner one does not return. */
typedef struct around {
    late_scene *scene;
    int64_t inner_limit;
    _Atomic(cf_future *) *inner;
    counter *submitted;
} around;

static int run_around(const void *arg, void *result, cf_task_context *ctx) {
    (void)result;
    (void)ctx;
    const around *a = arg;
    late_scene *l = a->scene;
    straggler s = {.begun = &l->begun, .told = &l->told, .gate = &l->gate, .wrote = &l->wrote};
    cf_task task = straggler_task(sizeof(uint64_t));
    cf_submit_options options = {.timeout_ns = a->inner_limit};
    cf_future *f = NULL;
    cf_status status = cf_executor_submit_with(l->ex, &task, &s, &options, &f);
    atomic_store(a->inner, f);
    counter_add(a->submitted, 1);
    return status == CF_OK ? (int)cf_future_result(f, CF_FOREVER, NULL) : (int)status;
}

Test(deadlines, of_tasks_within_each_other_do_not_wait_for_the_thread) {
    NEEDS_THREADS;
    static const int64_t limits[][2] = {{LIMIT, 3 * LIMIT}, {3 * LIMIT, LIMIT}, {LIMIT, LIMIT}};
    const cf_task around_task = {.run = run_around, .arg_size = sizeof(around)};
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        late_scene l = {.ex = create(1)};
        _Atomic(cf_future *) inner = NULL;
        counter submitted = {0};
        around a = {
            .scene = &l, .inner_limit = limits[i][1], .inner = &inner, .submitted = &submitted};
        cf_future *f =
            submit_limited(l.ex, &around_task, &a, (cf_submit_options){.timeout_ns = limits[i][0]});
        cr_assert(counter_wait(&submitted, 1));
        cr_assert(counter_wait(&l.begun, 1));
        expect_over_its_time(f, limits[i][0]);
        expect_over_its_time(atomic_load(&inner), limits[i][1]);
        EXPECT_EQ(counter_get(&l.wrote), 0);
        counter_add(&l.gate, 1);
        EXPECT_EQ(take(submit(l.ex, &square_task, &(uint64_t){9})), 81);
        EXPECT_EQ(stats_of(l.ex).timed_out, 2);
        cf_future_release(f);
        cf_future_release(atomic_load(&inner));
        cf_executor_destroy(l.ex);
    }
}

/* ---- other endings --------------------------------------------------------------------------- */

Test(deadlines, of_cancelled_tasks_do_not_matter) {
    NEEDS(cancels_pending);
    counter *c = shared_alloc(3 * sizeof *c);
    cf_executor *ex = create(1);
    blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2], .value = 5};
    cf_future *held =
        submit_limited(ex, &blocker_task, &b, (cf_submit_options){.timeout_ns = LONG_WAIT});
    cr_assert(counter_wait(&c[0], 1));
    cf_future *f = submit_limited(ex, &until_cancelled_task, NULL,
                                  (cf_submit_options){.timeout_ns = MILLISECOND});
    cr_assert(cf_future_cancel(f));
    EXPECT(CF_ECANCELLED, cf_future_result(f, 0, NULL));
    spin_for(5 * MILLISECOND);
    EXPECT(CF_ECANCELLED, cf_future_result(f, 0, NULL));
    counter_add(&c[1], 1);
    EXPECT_EQ(take(held), 5);
    EXPECT_EQ(stats_of(ex).timed_out, 0);
    cf_future_release(f);
    cf_executor_destroy(ex);
    shared_free(c, 3 * sizeof *c);
}

Test(deadlines, wake_as_completed) {
    enum {
        N = 6
    };
    cf_executor *ex = create(2);
    cf_future *futures[N], *f = NULL;
    cf_as_completed *ac = NULL;
    for (size_t i = 0; i < N; i++) {
        futures[i] = submit_limited(ex, &until_cancelled_task, NULL,
                                    (cf_submit_options){.timeout_ns = 20 * MILLISECOND});
    }
    EXPECT(CF_OK, cf_as_completed_create(futures, N, &ac));
    for (size_t i = 0; i < N; i++) {
        EXPECT(CF_OK, cf_as_completed_next(ac, LONG_WAIT, &f, NULL));
        expect_over_its_time(f, 20 * MILLISECOND);
    }
    EXPECT(CF_EEXHAUSTED, cf_as_completed_next(ac, 0, &f, NULL));
    cf_as_completed_destroy(ac);
    for (size_t i = 0; i < N; i++) {
        cf_future_release(futures[i]);
    }
    cf_executor_destroy(ex);
}
