/* The memory of arguments and results is given back with their future, or with the task if it has none. What
 * does not fit into the arena is refused. */
#include "payloads.h"

#include <stdlib.h>
#include <string.h>

TestSuite(payload_memory, .timeout = TEST_SECONDS);

enum {
    SMALL_ARENA = 8 * MIB
};

static cf_executor *create_small(void) {
    return create_with((cf_pool_options){.max_workers = workers_of(2), .arena_limit = SMALL_ARENA});
}

Test(payload_memory, are_given_back_with_their_future) {
    space r = space_of(MIB);
    cf_executor *ex = create_small();
    for (uint64_t i = 0; i < 200; i++) { /* 8 fill the arena */
        transform(ex, r, i % 2 ? MIB : 8, i % 3 ? MIB : 8, NULL, i);
    }
    cf_executor_destroy(ex);
    space_free(r);
}

static int run_touch(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    counter *done = *(counter *const *)arg;
    memset(result, 1, cf_task_room(ctx));
    counter_add(done, 1);
    return 0;
}

/* A task of which nobody holds a future gives its memory back when it is done. It is done a moment
 * after it has told, and so a refusal counts only when it lasts. */
static cf_status submit_patiently(cf_executor *ex, const cf_task *task, const void *arg) {
    const int64_t end = now_ns() + 5 * SECOND;
    cf_status status;
    do {
        status = cf_executor_submit(ex, task, arg, NULL);
    } while (status == CF_ENOMEM && now_ns() < end);
    return status;
}

Test(payload_memory, are_given_back_without_a_future) {
    counter *done = shared_alloc(sizeof *done);
    cf_executor *ex = create_small();
    const cf_task task = {.run = run_touch, .arg_size = sizeof done, .result_size = MIB};
    for (uint32_t i = 1; i <= 100; i++) {
        cf_status status = submit_patiently(ex, &task, &done);
        cr_assert(status == CF_OK, "task %u: %s, and nothing is in flight", i,
                  cf_status_name(status));
        cr_assert(counter_wait(done, i));
    }
    cf_executor_destroy(ex);
    shared_free(done, sizeof *done);
}

Test(payload_memory, are_given_back_when_released_early) {
    NEEDS(runs_beside_caller);
    counter *c = shared_alloc(4 * sizeof *c), *done = &c[3];
    cf_executor *ex = create_with((cf_pool_options){.max_workers = 1, .arena_limit = SMALL_ARENA});
    const cf_task task = {.run = run_touch, .arg_size = sizeof done, .result_size = MIB};
    for (uint32_t i = 1; i <= 100; i++) {
        blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2]};
        atomic_store(&c[1].value, 0);
        cf_future *held = submit(ex, &blocker_task, &b), *f = NULL;
        cf_status status = cf_executor_submit(ex, &task, &done, &f);
        cr_assert(status == CF_OK, "task %u: %s, and nothing is in flight", i,
                  cf_status_name(status));
        cf_future_release(f);
        counter_add(&c[1], 1);
        EXPECT(CF_OK, cf_future_result(held, LONG_WAIT, NULL));
        cf_future_release(held);
        cr_assert(counter_wait(done, i));
        EXPECT_EQ(take(submit(ex, &square_task, &(uint64_t){4})), 16); /* so it has settled */
    }
    cf_executor_destroy(ex);
    shared_free(c, 4 * sizeof *c);
}

Test(payload_memory, are_given_back_by_cancelled_tasks) {
    NEEDS(cancels_pending);
    counter *c = shared_alloc(4 * sizeof *c), *done = &c[3];
    cf_executor *ex = create_with((cf_pool_options){.max_workers = 1, .arena_limit = SMALL_ARENA});
    blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2]};
    cf_future *held = submit(ex, &blocker_task, &b);
    cr_assert(counter_wait(&c[0], 1));
    const cf_task task = {.run = run_touch, .arg_size = sizeof done, .result_size = MIB};
    for (int i = 0; i < 100; i++) {
        cf_future *f = submit(ex, &task, &done);
        cr_assert(cf_future_cancel(f));
        cf_future_release(f);
    }
    counter_add(&c[1], 1);
    EXPECT(CF_OK, cf_future_result(held, LONG_WAIT, NULL));
    cf_future_release(held);
    cf_executor_destroy(ex);
    EXPECT_EQ(counter_get(done), 0);
    shared_free(c, 4 * sizeof *c);
}

Test(payload_memory, are_given_back_after_as_completed) {
    enum {
        N = 5
    };
    counter *done = shared_alloc(sizeof *done);
    cf_executor *ex = create_small();
    const cf_task task = {.run = run_touch, .arg_size = sizeof done, .result_size = MIB};
    for (int round = 0; round < 50; round++) {
        cf_future *futures[N];
        cf_as_completed *ac = NULL;
        for (size_t i = 0; i < N; i++) {
            futures[i] = submit(ex, &task, &done);
        }
        EXPECT(CF_OK, cf_as_completed_create(futures, N, &ac));
        for (size_t i = 0; i < N; i++) {
            cf_future *f = NULL;
            EXPECT(CF_OK, cf_as_completed_next(ac, LONG_WAIT, &f, NULL));
            cf_future_release(f);
        }
        cf_as_completed_destroy(ac);
    }
    cf_executor_destroy(ex);
    shared_free(done, sizeof *done);
}

/* More than fits is refused, and costs nothing but that. */
Test(payload_memory, beyond_the_arena_are_refused) {
    enum {
        MOST = SMALL_ARENA / MIB
    };
    cf_executor *ex = create_small();
    char *arg = calloc(1, CF_PAYLOAD_MAX);
    const cf_task big = transform_of(MIB, 8), huge = transform_of(CF_PAYLOAD_MAX, 0);
    const cf_task vast = transform_of(0, CF_PAYLOAD_MAX);
    for (int round = 0; round < 20; round++) {
        cf_future *futures[MOST + 1], *none = NULL;
        size_t n = 0;
        cf_status status = CF_OK;
        while (n <= MOST && (status = cf_executor_submit(ex, &big, arg, &futures[n])) == CF_OK) {
            n++;
        }
        EXPECT(CF_ENOMEM, status);
        cr_assert(futures[n] == NULL);
        cr_assert(n >= MOST / 2 - 1, "only %zu fitted", n);
        EXPECT(CF_ENOMEM, cf_executor_submit(ex, &huge, arg, &none));
        EXPECT(CF_ENOMEM, cf_executor_submit(ex, &vast, NULL, &none));
        EXPECT_EQ(take(submit(ex, &square_task, &(uint64_t){5})), 25);
        for (size_t i = 0; i < n; i++) {
            EXPECT(CF_OK, cf_future_result(futures[i], LONG_WAIT, NULL));
            cf_future_release(futures[i]);
        }
    }
    cf_stats stats;
    EXPECT(CF_OK, cf_executor_stats(ex, &stats));
    EXPECT_EQ(stats.failed, 0);
    EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
    EXPECT(CF_OK, cf_executor_stats(ex, &stats));
    EXPECT_EQ(stats.submitted, stats.finished);
    cf_executor_destroy(ex);
    free(arg);
}
