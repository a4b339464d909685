/* A thread over its time is not waited for, except by shutdown. Its late result harms nothing. Tasks within
 * tasks have limits of their own. */
#include "deadlines.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

TestSuite(deadlines_threads, .timeout = TEST_SECONDS);

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

Test(deadlines_threads, do_not_wait_for_a_thread) {
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
Test(deadlines_threads, count_a_task_once_while_its_thread_still_runs) {
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

Test(deadlines_threads, protect_others_from_a_late_small_result) {
    NEEDS_THREADS;
    write_late(sizeof(uint64_t));
}

Test(deadlines_threads, protect_others_from_a_late_large_result) {
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

Test(deadlines_threads, let_destroy_wait_for_the_thread) {
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

Test(deadlines_threads, of_a_task_within_a_task) {
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

Test(deadlines_threads, of_a_task_around_a_task) {
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

Test(deadlines_threads, of_tasks_within_each_other_do_not_wait_for_the_thread) {
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
