/* A future goes from PENDING to RUNNING to FINISHED, or from PENDING to CANCELLED, in no other way, and wakes
 * everybody who waits for it. */
#include "rows.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

TestSuite(state, .timeout = TEST_SECONDS);

/* One worker, held by the first of two blockers: one task RUNNING, one PENDING. */
typedef struct stage {
    counter *c; /* begun, gate, ran */
    cf_executor *ex;
    cf_future *running;
    cf_future *pending;
} stage;

static stage stage_open(void) {
    stage s = {.c = shared_alloc(3 * sizeof(counter))};
    s.ex = create(1);
    blocker b = {.begun = &s.c[0], .gate = &s.c[1], .ran = &s.c[2], .value = 1};
    s.running = submit(s.ex, &blocker_task, &b);
    cr_assert(counter_wait(&s.c[0], 1));
    b.value = 2;
    s.pending = submit(s.ex, &blocker_task, &b);
    return s;
}

static void stage_close(stage *s) {
    cf_future_release(s->running);
    cf_future_release(s->pending);
    cf_executor_destroy(s->ex);
    shared_free(s->c, 3 * sizeof(counter));
}

static void expect_info(const cf_future *f, cf_state state, int worker, unsigned attempts) {
    cf_info info;
    EXPECT(CF_OK, cf_future_info(f, &info));
    EXPECT_EQ(info.state, state);
    EXPECT_EQ(info.worker, worker);
    EXPECT_EQ(info.attempts, attempts);
    EXPECT_EQ(cf_future_state(f), state);
}

Test(state, pending_then_finished) {
    NEEDS(cancels_pending);
    stage s = stage_open();
    cf_exception why;
    expect_info(s.pending, CF_PENDING, -1, 0);
    EXPECT(CF_ETIMEDOUT, cf_future_result(s.pending, 0, NULL));
    EXPECT(CF_ETIMEDOUT, cf_future_exception(s.pending, 0, &why));

    counter_add(&s.c[1], 1);
    uint64_t value = 0;
    EXPECT(CF_OK, cf_future_result(s.pending, LONG_WAIT, &value));
    EXPECT_EQ(value, 2);
    expect_info(s.pending, CF_FINISHED, 0, 1);
    stage_close(&s);
}

Test(state, running_then_finished) {
    NEEDS(cancels_pending);
    stage s = stage_open();
    cf_exception why;
    expect_info(s.running, CF_RUNNING, 0, 1);
    EXPECT(CF_ETIMEDOUT, cf_future_result(s.running, 0, NULL));
    EXPECT(CF_ETIMEDOUT, cf_future_exception(s.running, 0, &why));
    cr_assert_not(cf_future_cancel(s.running));
    expect_info(s.running, CF_RUNNING, 0, 1);

    counter_add(&s.c[1], 1);
    EXPECT(CF_OK, cf_future_result(s.running, LONG_WAIT, NULL));
    expect_info(s.running, CF_FINISHED, 0, 1);
    cr_assert_not(cf_future_cancel(s.running));
    EXPECT(CF_OK, cf_future_exception(s.running, 0, &why));
    EXPECT_EQ(why.status, CF_OK);
    expect_info(s.running, CF_FINISHED, 0, 1);
    stage_close(&s);
}

Test(state, pending_then_cancelled) {
    NEEDS(cancels_pending);
    stage s = stage_open();
    cr_assert(cf_future_cancel(s.pending));
    cr_assert(cf_future_cancel(s.pending)); /* true again: it is cancelled */
    expect_info(s.pending, CF_CANCELLED, -1, 0);
    uint64_t value = 42;
    cf_exception why;
    EXPECT(CF_ECANCELLED, cf_future_result(s.pending, 0, &value));
    EXPECT(CF_ECANCELLED, cf_future_result(s.pending, CF_FOREVER, &value));
    EXPECT_EQ(value, 42);
    EXPECT(CF_OK, cf_future_exception(s.pending, 0, &why));
    EXPECT_EQ(why.status, CF_ECANCELLED);
    EXPECT_EQ(why.worker, -1);

    counter_add(&s.c[1], 1);
    EXPECT(CF_OK, cf_executor_shutdown(s.ex, true, false));
    expect_info(s.pending, CF_CANCELLED, -1, 0);
    EXPECT_EQ(counter_get(&s.c[0]), 1); /* it never began */
    stage_close(&s);
}

Test(state, finished_within_submit) {
    if (row()->runs_beside_caller) {
        cr_skip_test("%s: not inside submit", row()->name);
    }
    cf_executor *ex = create(1);
    cf_future *f = submit(ex, &square_task, &(uint64_t){4});
    expect_info(f, CF_FINISHED, 0, 1);
    cr_assert_not(cf_future_cancel(f));
    expect_info(f, CF_FINISHED, 0, 1);
    EXPECT_EQ(take(f), 16);
    cf_executor_destroy(ex);
}

/* States that a watcher sees must never go back, and never skip to another end. */
Test(state, never_goes_back) {
    cf_executor *ex = create(2);
    for (uint64_t i = 0; i < 3000; i++) {
        cf_future *f = submit(ex, &square_task, &i);
        cf_state before = CF_PENDING;
        const int64_t end = now_ns() + LONG_WAIT;
        do {
            cf_state now = cf_future_state(f);
            cr_assert(now >= before && now != CF_CANCELLED, "%s after %s", cf_state_name(now),
                      cf_state_name(before));
            before = now;
        } while (before != CF_FINISHED && now_ns() < end);
        EXPECT_EQ(before, CF_FINISHED);
        EXPECT_EQ(take(f), i * i); /* finished to the eye means that the result is there */
    }
    cf_executor_destroy(ex);
}

typedef struct waiter {
    pthread_t thread;
    cf_future *future;
    counter *ready;
    cf_status status;
} waiter;

static void *wait_for_result(void *arg) {
    waiter *w = arg;
    counter_add(w->ready, 1);
    w->status = cf_future_result(w->future, LONG_WAIT, NULL);
    return NULL;
}

enum {
    WAITERS = 8
};

static void waiters_start(waiter *waiters, cf_future *future, counter *ready) {
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = (waiter){.future = future, .ready = ready};
        cr_assert_eq(pthread_create(&waiters[i].thread, NULL, wait_for_result, &waiters[i]), 0);
    }
    cr_assert(counter_wait(ready, WAITERS));
}

static void waiters_join(waiter *waiters, cf_status wanted) {
    for (int i = 0; i < WAITERS; i++) {
        cr_assert_eq(pthread_join(waiters[i].thread, NULL), 0);
        EXPECT(wanted, waiters[i].status);
    }
}

Test(state, every_waiter_wakes_for_the_result) {
    NEEDS(runs_beside_caller);
    for (int round = 0; round < 20; round++) {
        stage s = stage_open();
        counter ready = {0};
        waiter waiters[WAITERS];
        waiters_start(waiters, s.pending, &ready);
        counter_add(&s.c[1], 1);
        waiters_join(waiters, CF_OK);
        stage_close(&s);
    }
}

Test(state, every_waiter_wakes_for_a_cancel) {
    NEEDS(cancels_pending);
    for (int round = 0; round < 20; round++) {
        stage s = stage_open();
        counter ready = {0};
        waiter waiters[WAITERS];
        waiters_start(waiters, s.pending, &ready);
        cr_assert(cf_future_cancel(s.pending));
        waiters_join(waiters, CF_ECANCELLED);
        counter_add(&s.c[1], 1);
        stage_close(&s);
    }
}

static counter handled;

static void on_signal(int signal) {
    (void)signal;
    atomic_fetch_add(&handled.value, 1);
}

Test(state, signals_end_no_wait) {
    NEEDS(runs_beside_caller);
    stage s = stage_open();
    struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART: calls see EINTR */
    sigaction(SIGUSR1, &action, NULL);
    counter ready = {0};
    waiter waiters[WAITERS];
    waiters_start(waiters, s.pending, &ready);
    for (uint32_t i = 1; i <= 200; i++) {
        pthread_kill(waiters[i % WAITERS].thread, SIGUSR1);
        const int64_t end = now_ns() + LONG_WAIT;
        while (counter_get(&handled) < i && now_ns() < end) {}
        EXPECT_EQ(counter_get(&handled), i);
    }
    int64_t start = now_ns();
    EXPECT(CF_ETIMEDOUT, cf_future_result(s.pending, 30 * MILLISECOND, NULL));
    cr_assert(now_ns() - start >= 30 * MILLISECOND);
    counter_add(&s.c[1], 1);
    waiters_join(waiters, CF_OK);
    stage_close(&s);
}
