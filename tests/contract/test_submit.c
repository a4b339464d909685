/* A task gets a copy of its argument, and its future has the result, as often as it is asked, for as long as
 * it is held. */
#include "rows.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(submit, .timeout = TEST_SECONDS);

Test(submit, names_itself) {
    cf_executor *ex = create(3);
    cr_assert_str_eq(cf_executor_kind(ex), row()->name);
    EXPECT_EQ(cf_executor_max_workers(ex), workers_of(3));
    cf_executor_destroy(ex);
}

Test(submit, defaults_to_usable_cpus) {
    NOT_REMOTE("each rank has one worker at least");
    cf_executor *ex = NULL;
    EXPECT(CF_OK, row()->create(NULL, &ex));
    EXPECT_EQ(cf_executor_max_workers(ex), workers_of(cf_cpu_count(NULL)));
    EXPECT_EQ(take(submit(ex, &square_task, &(uint64_t){9})), 81);
    cf_executor_destroy(ex);
}

Test(submit, result_can_be_had_again) {
    cf_executor *ex = create(2);
    cf_future *f = submit(ex, &square_task, &(uint64_t){7});
    uint64_t first = 0, second = 0;
    EXPECT(CF_OK, cf_future_result(f, CF_FOREVER, &first));
    EXPECT(CF_OK, cf_future_result(f, 0, &second));
    EXPECT(CF_OK, cf_future_result(f, 0, NULL));
    EXPECT_EQ(first, 49);
    EXPECT_EQ(second, 49);
    EXPECT_EQ(cf_future_state(f), CF_FINISHED);
    cf_future_release(f);
    cf_executor_destroy(ex);
}

Test(submit, any_negative_timeout_waits_for_ever) {
    cf_executor *ex = create(1);
    cf_future *f = submit(ex, &square_task, &(uint64_t){3});
    uint64_t value = 0;
    EXPECT(CF_OK, cf_future_result(f, INT64_MIN, &value));
    EXPECT_EQ(value, 9);
    cf_future_release(f);

    f = submit(ex, &square_task, &(uint64_t){4});
    EXPECT(CF_OK, cf_future_result(f, INT64_MAX, &value)); /* must not overflow into the past */
    EXPECT_EQ(value, 16);
    cf_future_release(f);
    cf_executor_destroy(ex);
}

Test(submit, a_timeout_leaves_the_result_alone) {
    NEEDS(runs_beside_caller);
    counter *c = shared_alloc(3 * sizeof *c);
    cf_executor *ex = create(1);
    blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2], .value = 5};
    cf_future *f = submit(ex, &blocker_task, &b);
    uint64_t value = 42;
    cf_exception why = {.status = CF_EAGAIN};

    EXPECT(CF_ETIMEDOUT, cf_future_result(f, 0, &value));
    int64_t start = now_ns();
    EXPECT(CF_ETIMEDOUT, cf_future_result(f, 20 * MILLISECOND, &value));
    int64_t waited = now_ns() - start;
    EXPECT(CF_ETIMEDOUT, cf_future_exception(f, MILLISECOND, &why));
    EXPECT_EQ(value, 42);
    cr_assert(waited >= 20 * MILLISECOND, "waited %lld ns only", (long long)waited);

    counter_add(&c[1], 1);
    EXPECT_EQ(take(f), 5);
    cf_executor_destroy(ex);
    shared_free(c, 3 * sizeof *c);
}

/* What the transform task sees, told beside its argument: sizes go down to 0. */
typedef struct sizes {
    size_t arg;
    size_t result;
} sizes;

SEEN_BY_TASKS static sizes *told; /* shared, one task at a time */

static unsigned char pattern(size_t arg_sum, size_t i) {
    return (unsigned char)(arg_sum + 31 * i + 1);
}

static size_t sum_of(const unsigned char *bytes, size_t size) {
    size_t sum = size;
    for (size_t i = 0; i < size; i++) {
        sum = sum * 131 + bytes[i];
    }
    return sum;
}

static bool room_is_right(const void *memory, size_t size) {
    return size == 0 ? memory == NULL : memory != NULL && (uintptr_t)memory % 8 == 0;
}

enum {
    BAD_ARG = 1,
    BAD_RESULT,
    RESULT_NOT_ZEROED
};

static int run_transform(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    if (!room_is_right(arg, told->arg)) {
        return BAD_ARG;
    }
    if (!room_is_right(result, told->result)) {
        return BAD_RESULT;
    }
    size_t sum = sum_of(arg, told->arg);
    unsigned char *out = result;
    for (size_t i = 0; i < told->result; i++) {
        if (out[i] != 0) {
            return RESULT_NOT_ZEROED;
        }
        out[i] = pattern(sum, i);
    }
    return 0;
}

static void check_transform(cf_executor *ex, size_t arg_size, size_t result_size, uint64_t *seed) {
    unsigned char arg[PAGE], result[PAGE + 1];
    for (size_t i = 0; i < arg_size; i++) {
        arg[i] = (unsigned char)random_next(seed);
    }
    result[result_size] = 0xA5;
    *told = (sizes){arg_size, result_size};
    cf_task task = {.run = run_transform, .arg_size = arg_size, .result_size = result_size};
    cf_future *f = submit(ex, &task, arg_size ? arg : NULL);
    cf_exception why;
    EXPECT(CF_OK, cf_future_exception(f, LONG_WAIT, &why));
    cr_assert(why.status == CF_OK, "sizes %zu -> %zu: task error %d", arg_size, result_size,
              why.task_error);
    EXPECT(CF_OK, cf_future_result(f, 0, result));
    size_t sum = sum_of(arg, arg_size);
    for (size_t i = 0; i < result_size; i++) {
        cr_assert(result[i] == pattern(sum, i), "sizes %zu -> %zu: byte %zu", arg_size, result_size,
                  i);
    }
    EXPECT_EQ(result[result_size], 0xA5);
    cf_future_release(f);
}

Test(submit, every_size_arrives_whole) {
    uint64_t seed = test_seed("submit/every_size_arrives_whole");
    told = shared_alloc(sizeof *told);
    cf_executor *ex = create(2);
    for (size_t size = 0; size <= PAGE; size++) {
        check_transform(ex, size, (size * 7) % (PAGE + 1), &seed);
    }
    for (size_t size = 0; size <= 70; size++) {
        check_transform(ex, 0, size, &seed);
        check_transform(ex, size, 0, &seed);
    }
    check_transform(ex, PAGE, PAGE, &seed);
    cf_executor_destroy(ex);
    shared_free(told, sizeof *told);
}

Test(submit, copies_argument_and_task) {
    counter *c = shared_alloc(3 * sizeof *c);
    cf_executor *ex = create(1);
    if (!row()->runs_beside_caller) {
        counter_add(&c[1], 1);
    }
    blocker *arg = malloc(sizeof *arg);
    cf_task *task = malloc(sizeof *task);
    char *name = strdup("a name that goes away");
    *arg = (blocker){.begun = &c[0], .gate = &c[1], .ran = &c[2], .value = 77};
    *task = blocker_task;
    task->name = name;
    task->result_type = name;
    cf_future *f = submit(ex, task, arg);
    memset(arg, 0xFF, sizeof *arg);
    memset(task, 0xFF, sizeof *task);
    memset(name, 'x', strlen(name));
    free(arg);
    free(task);
    free(name);
    counter_add(&c[1], 1);
    EXPECT_EQ(take(f), 77);
    cf_executor_destroy(ex);
    shared_free(c, 3 * sizeof *c);
}

Test(submit, needs_no_future) {
    counter *c = shared_alloc(sizeof *c);
    cf_executor *ex = create(2);
    for (size_t i = 0; i < 1000; i++) {
        EXPECT(CF_OK, cf_executor_submit(ex, &add_task, &c, NULL));
        EXPECT(CF_OK, cf_executor_submit_with(ex, &add_task, &c, NULL, NULL));
    }
    EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
    EXPECT_EQ(counter_get(c), 2000);
    cf_executor_destroy(ex);
    shared_free(c, sizeof *c);
}

Test(submit, release_lets_the_task_go_on) {
    counter *c = shared_alloc(3 * sizeof *c);
    cf_executor *ex = create(2);
    if (!row()->runs_beside_caller) {
        counter_add(&c[1], 1);
    }
    blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2]};
    for (int i = 0; i < 100; i++) {
        cf_future_release(submit(ex, &blocker_task, &b));
    }
    counter_add(&c[1], 1);
    cf_executor_destroy(ex);
    EXPECT_EQ(counter_get(&c[2]), 100);
    cf_future_release(NULL);
    shared_free(c, 3 * sizeof *c);
}

Test(submit, futures_outlive_the_executor) {
    enum {
        N = 300
    };
    cf_future *futures[N];
    cf_executor *ex = create(2);
    for (uint64_t i = 0; i < N; i++) {
        futures[i] = submit(ex, &square_task, &i);
    }
    cf_future *failed = submit(ex, &error_task, &(int){3});
    cf_executor_destroy(ex);

    for (uint64_t i = 0; i < N; i++) {
        cf_info info;
        cf_exception why;
        EXPECT_EQ(cf_future_state(futures[i]), CF_FINISHED);
        EXPECT(CF_OK, cf_future_info(futures[i], &info));
        EXPECT_EQ(info.state, CF_FINISHED);
        EXPECT(CF_OK, cf_future_exception(futures[i], 0, &why));
        EXPECT_EQ(why.status, CF_OK);
        cr_assert_not(cf_future_cancel(futures[i]));
        EXPECT_EQ(take(futures[i]), i * i);
    }
    EXPECT(CF_ETASK, cf_future_result(failed, 0, NULL));
    cf_future_release(failed);
}

Test(submit, context_tells_worker_and_attempt) {
    cf_executor *ex = create(4);
    for (int i = 0; i < 200; i++) {
        whereabouts w;
        cf_future *f = submit(ex, &whereabouts_task, NULL);
        EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, &w));
        cr_assert(w.worker < cf_executor_max_workers(ex));
        EXPECT_EQ(w.attempt, 1);
        EXPECT_EQ(w.pid == getpid(), row()->shares_memory);
        cf_future_release(f);
    }
    cf_executor_destroy(ex);
}

Test(submit, workers_run_side_by_side) {
    NEEDS(runs_beside_caller);
    enum {
        WORKERS = 8
    };
    counter *c = shared_alloc(3 * sizeof *c);
    cf_executor *ex = create(WORKERS);
    cf_future *futures[WORKERS];
    blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2], .value = 1};
    for (int i = 0; i < WORKERS; i++) {
        futures[i] = submit(ex, &blocker_task, &b);
    }
    cr_assert(counter_wait(&c[0], WORKERS), "%u tasks run at once", counter_get(&c[0]));
    counter_add(&c[1], 1);
    for (int i = 0; i < WORKERS; i++) {
        EXPECT_EQ(take(futures[i]), 1);
    }
    cf_executor_destroy(ex);
    shared_free(c, 3 * sizeof *c);
}

Test(submit, a_hundred_thousand_futures_at_once) {
    const size_t n = scaled(100000);
    cf_future **futures = malloc(n * sizeof(cf_future *));
    cf_executor *ex = create(2);
    for (uint64_t i = 0; i < n; i++) {
        futures[i] = submit(ex, &square_task, &i);
    }
    for (uint64_t i = n; i-- > 0;) {
        EXPECT_EQ(take(futures[i]), i * i);
    }
    cf_executor_destroy(ex);
    free(futures);
}
