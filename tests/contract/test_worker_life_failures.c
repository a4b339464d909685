/* An initializer that fails or dies breaks the executor: the reason is told, and other workers finish what
 * they run. While an initializer hangs, tasks stay pending. */
#include "worker_life.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

TestSuite(worker_life_failures, .timeout = TEST_SECONDS);

static void expect_broken(cf_future *f, const chronicle *c, const char *text) {
    cf_exception why;
    char described[200];
    EXPECT(CF_EBROKEN, cf_future_result(f, LONG_WAIT, NULL));
    EXPECT(CF_OK, cf_future_exception(f, 0, &why));
    EXPECT_EQ(why.status, CF_EBROKEN);
    EXPECT_EQ(why.task_error, c->how == RETURNS_ERROR ? c->number : 0);
    EXPECT_EQ(why.signal, c->how == IS_KILLED ? c->number : 0);
    if (c->how != RETURNS_ERROR) { /* then it is a thread's, or how a process ends */
        EXPECT_EQ(why.exit_code, c->how == EXITS ? c->number : 0);
    }
    EXPECT_EQ(why.worker, c->worker);
    cf_exception_describe(&why, described, sizeof described);
    cr_assert(strstr(described, text), "\"%s\" lacks \"%s\"", described, text);
    cf_future_release(f);
}

static void expect_refusal(cf_executor *ex) {
    cf_future *f = NULL;
    uint64_t args[3] = {0}, results[3];
    EXPECT(CF_EBROKEN, cf_executor_submit(ex, &square_task, args, &f));
    cr_assert(f == NULL);
    EXPECT(CF_EBROKEN, cf_executor_submit(ex, &square_task, args, NULL));
    EXPECT(CF_EBROKEN, cf_executor_map(ex, &square_task, args, 3, results, NULL));
}

/* The first worker's; what is submitted before that is known ends the same way. */
static void first_fails(manner how, int number, const char *text) {
    footprint before = footprint_now();
    const unsigned n = workers_of(4);
    chronicle *c = chronicle_new(how, number, 0);
    c->from = 1;
    cf_executor *ex = create_living(c, n, 0);
    cf_future *first = submit(ex, &live_task, NULL), *others[20];
    size_t accepted = 0;
    while (accepted < COUNT_OF(others) &&
           cf_executor_submit(ex, &live_task, NULL, &others[accepted]) == CF_OK) {
        accepted++;
    }
    for (size_t i = 0; i < accepted; i++) {
        EXPECT(CF_EBROKEN, cf_future_result(others[i], LONG_WAIT, NULL));
        cf_future_release(others[i]);
    }
    if (n > 1) { /* whichever was the first to fail */
        cf_exception why;
        EXPECT(CF_OK, cf_future_exception(first, LONG_WAIT, &why));
        cr_assert(why.worker >= 0 && why.worker < (int)n);
        c->worker = (unsigned)why.worker;
    }
    expect_broken(first, c, text);
    expect_refusal(ex);
    EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
    cf_stats s = stats_of(ex);
    EXPECT_EQ(s.failed, accepted + 1);
    EXPECT_EQ(s.finished, accepted + 1);
    EXPECT_EQ(s.pending + s.running + s.restarts, 0);
    expect_refusal(ex);
    cf_executor_destroy(ex);
    cr_assert(counter_get(&c->begun) >= 1 && counter_get(&c->begun) <= n, "%u lives of %u workers",
              counter_get(&c->begun), n);
    EXPECT_EQ(counter_get(&c->ended), 0);
    chronicle_free(c);
    footprint_check(before);
}

Test(worker_life_failures, that_fails_breaks_the_executor) {
    first_fails(RETURNS_ERROR, EACCES, "initializer of worker ");
    first_fails(RETURNS_ERROR, EACCES, "error: Permission denied");
    first_fails(RETURNS_ERROR, -7, "error: -7");
}

Test(worker_life_failures, that_dies_at_once_breaks_the_executor) {
    NEEDS(survives_worker_death);
    first_fails(IS_KILLED, SIGKILL, "killed by signal 9 (SIGKILL)");
    first_fails(IS_KILLED, SIGSEGV, "killed by signal 11 (SIGSEGV)");
    first_fails(EXITS, 3, "exited with status 3");
    first_fails(EXITS, 0, "exited with status 0");
}

/* The third worker's, while the first two are at work. */
static void third_fails(manner how, int number, const char *text) {
    enum {
        PENDING = 10
    };
    footprint before = footprint_now();
    chronicle *c = chronicle_new(how, number, 2);
    counter *shared = shared_alloc(3 * sizeof *shared);
    cf_executor *ex = create_living(c, 3, 0);
    blocker b = {.begun = &shared[0], .gate = &shared[1], .ran = &shared[2], .value = 5};
    cf_future *held[2] = {submit(ex, &blocker_task, &b), submit(ex, &blocker_task, &b)};
    cr_assert(counter_wait(&shared[0], 2));
    cf_future *pending[PENDING];
    size_t accepted = 0;
    while (accepted < PENDING &&
           cf_executor_submit(ex, &live_task, NULL, &pending[accepted]) == CF_OK) {
        accepted++;
    }
    cr_assert(accepted >= 1);
    for (size_t i = 0; i < accepted; i++) {
        expect_broken(pending[i], c, text);
    }
    expect_refusal(ex);
    EXPECT_EQ(cf_future_state(held[0]), CF_RUNNING);
    EXPECT_EQ(cf_future_state(held[1]), CF_RUNNING);
    counter_add(&shared[1], 1);
    EXPECT_EQ(take(held[0]), 5);
    EXPECT_EQ(take(held[1]), 5);
    cf_executor_destroy(ex);
    EXPECT_EQ(counter_get(&c->begun), 3);
    EXPECT_EQ(counter_get(&c->ended), 2);
    shared_free(shared, 3 * sizeof *shared);
    chronicle_free(c);
    footprint_check(before);
}

Test(worker_life_failures, of_the_third_that_fails_lets_the_others_finish) {
    NEEDS(runs_beside_caller);
    third_fails(RETURNS_ERROR, ENOENT, "initializer of worker 2: error: No such file or directory");
}

Test(worker_life_failures, of_the_third_that_dies_lets_the_others_finish) {
    NEEDS(survives_worker_death);
    third_fails(IS_KILLED, SIGABRT, "initializer of worker 2: killed by signal 6 (SIGABRT)");
    third_fails(EXITS, 3, "initializer of worker 2: exited with status 3");
}

/* A successor's, after two good lives of one task each. */
Test(worker_life_failures, of_a_successor_that_fails_breaks_the_executor) {
    chronicle *c = chronicle_new(RETURNS_ERROR, EIO, NOBODY);
    c->from = 3;
    cf_executor *ex = create_living(c, 1, 1);
    cf_future *futures[10];
    size_t accepted = 0;
    while (accepted < COUNT_OF(futures) &&
           cf_executor_submit(ex, &live_task, NULL, &futures[accepted]) == CF_OK) {
        accepted++;
    }
    cr_assert(accepted >= 3);
    EXPECT(CF_OK, cf_wait(futures, accepted, CF_ALL_COMPLETED, LONG_WAIT, NULL));
    c->worker = 0; /* now that no other life begins */
    for (size_t i = 0; i < accepted; i++) {
        if (i < 2) {
            EXPECT_EQ(take(futures[i]), 1);
        } else {
            expect_broken(futures[i], c, "initializer of worker 0: error: Input/output error");
        }
    }
    expect_refusal(ex);
    cf_executor_destroy(ex);
    EXPECT_EQ(counter_get(&c->begun), 3);
    EXPECT_EQ(counter_get(&c->ended), 2);
    chronicle_free(c);
}

Test(worker_life_failures, that_hangs_keeps_tasks_pending) {
    NEEDS(runs_beside_caller);
    NOT_REMOTE(SENT_AHEAD);
    enum {
        N = 5
    };
    chronicle *c = chronicle_new(HANGS, 0, NOBODY);
    c->from = 1;
    cf_executor *ex = create_living(c, 2, 0);
    cf_future *futures[N];
    for (size_t i = 0; i < N; i++) {
        futures[i] = submit(ex, &live_task, NULL);
    }
    cr_assert(counter_wait(&c->begun, 2));
    EXPECT(CF_ETIMEDOUT, cf_wait(futures, N, CF_FIRST_COMPLETED, 20 * MILLISECOND, NULL));
    for (size_t i = 0; i < N; i++) {
        EXPECT_EQ(cf_future_state(futures[i]), CF_PENDING);
    }
    cr_assert(cf_future_cancel(futures[N - 1]));
    cf_future_release(futures[N - 1]);
    counter_add(&c->gate, 1);
    for (size_t i = 0; i < N - 1; i++) {
        cr_assert(take(futures[i]) > 0);
    }
    cf_executor_destroy(ex);
    EXPECT_EQ(counter_get(&c->begun), 2);
    EXPECT_EQ(counter_get(&c->ended), 2);
    chronicle_free(c);
}

Test(worker_life_failures, that_hangs_can_be_killed) {
    NEEDS(survives_worker_death);
    footprint before = footprint_now();
    chronicle *c = chronicle_new(HANGS, 0, NOBODY);
    c->from = 1;
    cf_executor *ex = create_living(c, 2, 0);
    cf_future *futures[3];
    for (size_t i = 0; i < COUNT_OF(futures); i++) {
        futures[i] = submit(ex, &live_task, NULL);
    }
    cr_assert(counter_wait(&c->begun, 2));
    EXPECT(CF_OK, cf_executor_kill_workers(ex));
    for (size_t i = 0; i < COUNT_OF(futures); i++) {
        EXPECT(CF_ECANCELLED, cf_future_result(futures[i], LONG_WAIT, NULL));
        cf_future_release(futures[i]);
    }
    EXPECT(CF_ESHUTDOWN, cf_executor_submit(ex, &live_task, NULL, NULL));
    cf_executor_destroy(ex);
    EXPECT_EQ(counter_get(&c->begun), 2);
    EXPECT_EQ(counter_get(&c->ended), 0);
    chronicle_free(c);
    footprint_check(before);
}
