/* A process over its time is killed with what its task has started, even if it hangs or is stopped. Other
 * workers are spared, and the run is not tried again. */
#include "deadlines.h"

#include <signal.h>
#include <unistd.h>

TestSuite(deadlines_processes, .timeout = TEST_SECONDS);

#define LONG_LIMIT (6 * LIMIT) /* where a test has to do something in the meantime */

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

typedef struct shared {
    counter begun;
    counter gate;
    counter ran;
    _Atomic pid_t pid;
    _Atomic pid_t grandchild;
} shared;

Test(deadlines_processes, kill_a_hung_process_and_nothing_else) {
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

Test(deadlines_processes, reach_a_stopped_process) {
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

Test(deadlines_processes, take_along_what_the_task_has_started) {
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

Test(deadlines_processes, are_not_retried_but_deaths_are) {
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
Test(deadlines_processes, are_not_forgotten_over_a_terminate) {
    NEEDS(survives_worker_death);
    footprint before = footprint_now();
    shared *m = shared_alloc(sizeof *m);
    cf_executor *ex = create(1);
    pid_t nursery = nursery_of(ex);
    hang h = {.begun = &m->begun, .pid = &m->pid};
    cf_future *f =
        submit_limited(ex, &unterminated_task, &h, (cf_submit_options){.timeout_ns = LIMIT});
    cr_assert(counter_wait(&m->begun, 1));
    if (!process_freeze(nursery)) {
        cr_skip_test("the system refuses ptrace");
    }
    spin_for(2 * LIMIT);
    EXPECT(CF_OK, cf_executor_terminate_workers(ex));
    process_thaw(nursery);
    expect_over_its_time(f, LIMIT);
    cf_future_release(f);
    cf_executor_destroy(ex);
    shared_free(m, sizeof *m);
    footprint_check(before);
}

Test(deadlines_processes, let_shutdown_end) {
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
