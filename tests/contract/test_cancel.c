/* Either the caller cancels a task or a worker starts it, never both, and all threads agree on the winner. */
#include "rows.h"

#include <pthread.h>
#include <stdlib.h>

TestSuite(cancel, .timeout = TEST_SECONDS);

static int run_mark(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    _Atomic uint32_t *mark = *(_Atomic uint32_t *const *)arg;
    *(uint32_t *)result = atomic_fetch_add(mark, 1) + 1;
    return 0;
}

static const cf_task mark_task = {
    .name = "mark", .run = run_mark, .arg_size = sizeof(void *), .result_size = sizeof(uint32_t)};

static cf_future *submit_mark(cf_executor *ex, _Atomic uint32_t *mark) {
    return submit(ex, &mark_task, &mark);
}

/* A cancelled task never ran; any other ran once and gave its result. Returns whether cancelled. */
static bool settle(cf_future *future, const _Atomic uint32_t *mark) {
    uint32_t result = 0;
    cf_status status = cf_future_result(future, LONG_WAIT, &result);
    bool cancelled = cf_future_state(future) == CF_CANCELLED;
    if (cancelled) {
        EXPECT(CF_ECANCELLED, status);
    } else {
        EXPECT(CF_OK, status);
        EXPECT_EQ(result, 1);
    }
    EXPECT_EQ(atomic_load(mark), cancelled ? 0 : 1);
    return cancelled;
}

Test(cancel, against_start_has_one_winner) {
    uint64_t seed = test_seed("cancel/against_start_has_one_winner");
    const size_t rounds = scaled(20000);
    _Atomic uint32_t *marks = shared_alloc(rounds * sizeof *marks);
    cf_executor *ex = create(2);
    size_t said_yes = 0, cancelled = 0;
    for (size_t i = 0; i < rounds; i++) {
        cf_future *f = submit_mark(ex, &marks[i]);
        spin_for((int64_t)(random_next(&seed) % 4000));
        bool yes = cf_future_cancel(f);
        bool was = settle(f, &marks[i]);
        cr_assert(yes == was, "round %zu: cancel said %d, the future %d", i, yes, was);
        said_yes += yes;
        cancelled += was;
        cf_future_release(f);
    }
    cf_stats stats;
    EXPECT(CF_OK, cf_executor_stats(ex, &stats));
    EXPECT_EQ(stats.cancelled, cancelled);
    EXPECT_EQ(stats.finished, rounds - said_yes);
    if (!row()->cancels_pending) {
        EXPECT_EQ(said_yes, 0);
    }
    EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
    for (size_t i = 0; i < rounds; i++) {
        cr_assert(atomic_load(&marks[i]) <= 1);
    }
    cf_executor_destroy(ex);
    shared_free(marks, rounds * sizeof *marks);
}

enum {
    CANCELLERS = 4,
    BATCH = 2000
};

typedef struct canceller {
    pthread_t thread;
    cf_future **futures;
    counter *start;
    bool from_the_end;
    bool yes[BATCH];
} canceller;

static void *cancel_all(void *arg) {
    canceller *c = arg;
    counter_wait(c->start, 1);
    for (size_t i = 0; i < BATCH; i++) {
        size_t which = c->from_the_end ? BATCH - 1 - i : i;
        c->yes[which] = cf_future_cancel(c->futures[which]);
    }
    return NULL;
}

static void cancel_from_threads(cf_executor *ex, _Atomic uint32_t *marks, canceller *cancellers) {
    cf_future *futures[BATCH];
    counter start = {0};
    for (size_t i = 0; i < CANCELLERS; i++) {
        cancellers[i].futures = futures;
        cancellers[i].start = &start;
        cancellers[i].from_the_end = i % 2;
    }
    for (size_t i = 0; i < BATCH; i++) {
        atomic_store(&marks[i], 0);
        futures[i] = submit_mark(ex, &marks[i]);
    }
    for (size_t i = 0; i < CANCELLERS; i++) {
        cr_assert_eq(pthread_create(&cancellers[i].thread, NULL, cancel_all, &cancellers[i]), 0);
    }
    counter_add(&start, 1);
    for (size_t i = 0; i < CANCELLERS; i++) {
        cr_assert_eq(pthread_join(cancellers[i].thread, NULL), 0);
    }
    for (size_t i = 0; i < BATCH; i++) {
        bool was = settle(futures[i], &marks[i]);
        for (size_t k = 0; k < CANCELLERS; k++) {
            cr_assert(cancellers[k].yes[i] == was, "future %zu, thread %zu", i, k);
        }
        cf_future_release(futures[i]);
    }
}

Test(cancel, threads_agree_on_the_winner) {
    NEEDS(cancels_pending);
    _Atomic uint32_t *marks = shared_alloc(BATCH * sizeof *marks);
    canceller *cancellers = calloc(CANCELLERS, sizeof *cancellers);
    cf_executor *ex = create(2);
    const size_t rounds = scaled(20);
    for (size_t round = 0; round < rounds; round++) {
        cancel_from_threads(ex, marks, cancellers);
    }
    cf_executor_destroy(ex);
    free(cancellers);
    shared_free(marks, BATCH * sizeof *marks);
}

Test(cancel, thousands_in_the_queue) {
    NEEDS(cancels_pending);
    enum {
        N = 5000
    };
    counter *c = shared_alloc(4 * sizeof *c);
    cf_executor *ex = create(1);
    blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2]};
    cf_future *held = submit(ex, &blocker_task, &b);
    cr_assert(counter_wait(&c[0], 1));
    cf_future *futures[N];
    counter *ran = &c[3];
    for (size_t i = 0; i < N; i++) {
        futures[i] = submit(ex, &add_task, &ran);
    }
    for (size_t i = 0; i < N; i += 2) { /* held up behind a running task, so each one can be */
        cr_assert(cf_future_cancel(futures[i]));
    }
    counter_add(&c[1], 1);
    for (size_t i = 0; i < N; i++) {
        EXPECT(i % 2 ? CF_OK : CF_ECANCELLED, cf_future_result(futures[i], LONG_WAIT, NULL));
        cf_future_release(futures[i]);
    }
    EXPECT_EQ(counter_get(ran), N / 2);
    cf_future_release(held);
    cf_executor_destroy(ex);
    shared_free(c, 4 * sizeof *c);
}
