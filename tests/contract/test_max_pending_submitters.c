/* max_pending is never exceeded: by threads at once, by maps, from inside tasks, behind a run over its time.
 * No task waits for room that only it can make. */
#include "rows.h"
#include "stats.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

TestSuite(max_pending_submitters, .timeout = TEST_SECONDS);

/* ---- threads --------------------------------------------------------------------------------- */

enum {
    THREADS = 4,
    EACH = 3000,
    WORKERS = 2
};

typedef struct submitter {
    pthread_t thread;
    cf_executor *ex;
    counter *ran;
    bool many;
    cf_status status;
} submitter;

static void *submit_each(void *arg) {
    submitter *s = arg;
    counter *args[EACH];
    for (size_t i = 0; i < EACH; i++) {
        args[i] = s->ran;
    }
    if (s->many) {
        s->status = cf_executor_submit_many(s->ex, &add_task, args, EACH, NULL, NULL, NULL);
        return NULL;
    }
    for (size_t i = 0; s->status == CF_OK && i < EACH; i++) {
        s->status = cf_executor_submit(s->ex, &add_task, &args[i], NULL);
    }
    return NULL;
}

typedef struct observer {
    pthread_t thread;
    cf_executor *ex;
    counter watching; /* it has looked once */
    counter stop;
    uint64_t most;
} observer;

static void *observe(void *arg) {
    observer *o = arg;
    cf_stats stats;
    bool told = false;
    while (counter_get(&o->stop) == 0 && cf_executor_stats(o->ex, &stats) == CF_OK) {
        o->most = stats.pending > o->most ? stats.pending : o->most;
        if (!told) {
            counter_add(&o->watching, 1);
            told = true;
        }
        sched_yield();
    }
    return NULL;
}

static void keep_below(size_t bound, bool many) {
    counter *ran = shared_alloc(sizeof *ran);
    cf_executor *ex = create_with((cf_pool_options){.max_workers = WORKERS, .max_pending = bound});
    observer o = {.ex = ex};
    submitter submitters[THREADS];
    cr_assert_eq(pthread_create(&o.thread, NULL, observe, &o), 0);
    cr_assert(counter_wait(&o.watching, 1));
    for (size_t i = 0; i < THREADS; i++) {
        submitters[i] = (submitter){.ex = ex, .ran = ran, .many = many};
        cr_assert_eq(pthread_create(&submitters[i].thread, NULL, submit_each, &submitters[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        cr_assert_eq(pthread_join(submitters[i].thread, NULL), 0);
        EXPECT(CF_OK, submitters[i].status);
    }
    EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
    counter_add(&o.stop, 1);
    cr_assert_eq(pthread_join(o.thread, NULL), 0);
    EXPECT_EQ(counter_get(ran), THREADS * EACH);
    /* the numbers of running workers may be a task behind */
    cr_assert(o.most <= bound + WORKERS, "%llu were pending", (unsigned long long)o.most);
    cf_executor_destroy(ex);
    shared_free(ran, sizeof *ran);
}

Test(max_pending_submitters, is_never_exceeded) {
    NEEDS(runs_beside_caller);
    keep_below(1, false);
    keep_below(8, false);
    keep_below(100, false);
}

Test(max_pending_submitters, is_never_exceeded_by_many_at_once) {
    NEEDS(runs_beside_caller);
    keep_below(1, true);
    keep_below(8, true);
    keep_below(100, true);
}

Test(max_pending_submitters, means_nothing_to_serial) {
    if (row()->runs_beside_caller) {
        cr_skip_test("%s: has pending tasks", row()->name);
    }
    cf_executor *ex = create_with((cf_pool_options){.max_pending = 1, .refuse_when_full = true});
    for (uint64_t i = 0; i < 100; i++) {
        EXPECT_EQ(take(submit(ex, &square_task, &i)), i * i);
    }
    cf_executor_destroy(ex);
}

/* ---- maps ------------------------------------------------------------------------------------ */

static void map_over_the_bound(cf_pool_options options) {
    enum {
        N = 10000
    };
    uint64_t *args = malloc(N * sizeof *args), *results = malloc(N * sizeof *results);
    cf_executor *ex = create_with(options);
    for (uint64_t i = 0; i < N; i++) {
        args[i] = i;
    }
    for (size_t chunk = 0; chunk < 4; chunk++) {
        EXPECT(CF_OK, cf_executor_map(ex, &square_task, args, N, results,
                                      &(cf_map_options){.chunk = chunk}));
        for (uint64_t i = 0; i < N; i++) {
            EXPECT_EQ(results[i], i * i);
        }
    }
    cf_executor_destroy(ex);
    free(args);
    free(results);
}

Test(max_pending_submitters, a_map_waits_for_room) {
    map_over_the_bound((cf_pool_options){.max_workers = workers_of(WORKERS), .max_pending = 1});
    map_over_the_bound((cf_pool_options){.max_workers = workers_of(WORKERS), .max_pending = 4});
}

Test(max_pending_submitters, a_map_waits_for_room_also_where_submit_is_refused) {
    map_over_the_bound((cf_pool_options){
        .max_workers = workers_of(WORKERS), .max_pending = 1, .refuse_when_full = true});
    map_over_the_bound((cf_pool_options){
        .max_workers = workers_of(WORKERS), .max_pending = 4, .refuse_when_full = true});
}

/* ---- inside a task --------------------------------------------------------------------------- */

enum {
    BOUND = 5
};

typedef struct inside {
    cf_executor *ex;
    counter *ran;
} inside;

typedef struct inside_result {
    uint64_t accepted;
    size_t accepted_at_once;
    cf_status one;
    cf_status many;
    cf_status after_cancel;
} inside_result;

/* It must not wait: it holds the only worker. */
static int run_inside(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    const inside *in = arg;
    inside_result *r = result;
    counter *args[2 * BOUND];
    cf_future *first = NULL, *futures[2 * BOUND];
    for (size_t i = 0; i < COUNT_OF(args); i++) {
        args[i] = in->ran;
    }
    r->one = cf_executor_submit(in->ex, &add_task, &in->ran, &first);
    while (r->one == CF_OK && ++r->accepted < 2) {
        r->one = cf_executor_submit(in->ex, &add_task, &in->ran, NULL);
    }
    r->many = cf_executor_submit_many(in->ex, &add_task, args, COUNT_OF(args), NULL, futures,
                                      &r->accepted_at_once);
    for (size_t i = 0; i < COUNT_OF(futures); i++) {
        cf_future_release(futures[i]);
    }
    r->one = cf_executor_submit(in->ex, &add_task, &in->ran, NULL);
    cf_future_cancel(first);
    cf_future_release(first);
    r->after_cancel = cf_executor_submit(in->ex, &add_task, &in->ran, NULL);
    return 0;
}

Test(max_pending_submitters, refuses_inside_a_task_that_could_wait_for_itself) {
    NEEDS(runs_beside_caller);
    NEEDS(shares_memory);
    const cf_task inside_task = {
        .run = run_inside, .arg_size = sizeof(inside), .result_size = sizeof(inside_result)};
    for (int refuse = 0; refuse < 2; refuse++) {
        counter ran = {0};
        inside in = {.ran = &ran};
        inside_result r;
        in.ex = create_with(
            (cf_pool_options){.max_workers = 1, .max_pending = BOUND, .refuse_when_full = refuse});
        cf_future *f = submit(in.ex, &inside_task, &in);
        EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, &r));
        EXPECT(CF_EFULL, r.many);
        EXPECT_EQ(r.accepted + r.accepted_at_once, BOUND);
        EXPECT(CF_EFULL, r.one);
        EXPECT(CF_OK, r.after_cancel);
        cf_future_release(f);
        cf_executor_destroy(in.ex);
        EXPECT_EQ(counter_get(&ran), BOUND);
    }
}

/* Of another executor it may wait: that one goes on by itself. */
static int run_beside(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    const inside *in = arg;
    for (uint64_t i = 0; i < 200; i++) {
        cf_status status = cf_executor_submit(in->ex, &add_task, &in->ran, NULL);
        if (status != CF_OK) {
            return (int)status;
        }
        *(uint64_t *)result = i + 1;
    }
    return 0;
}

Test(max_pending_submitters, waits_inside_a_task_of_another_executor) {
    NEEDS(runs_beside_caller);
    const cf_task beside_task = {
        .run = run_beside, .arg_size = sizeof(inside), .result_size = sizeof(uint64_t)};
    counter *ran = shared_alloc(sizeof *ran);
    cf_executor *other = NULL;
    inside in = {.ran = ran};
    in.ex = create_with((cf_pool_options){.max_workers = 1, .max_pending = 2});
    EXPECT(CF_OK, cf_thread_pool_create(&(cf_pool_options){.max_workers = 1}, &other));
    EXPECT_EQ(take(submit(other, &beside_task, &in)), 200);
    cf_executor_destroy(other);
    cf_executor_destroy(in.ex);
    EXPECT_EQ(counter_get(ran), 200);
    shared_free(ran, sizeof *ran);
}

/* A run over its time is done, though its thread goes on: it makes no room for others. */
static int run_straggler(const void *arg, void *result, cf_task_context *ctx) {
    (void)result;
    (void)ctx;
    counter_wait(*(counter *const *)arg, 1);
    return 0;
}

Test(max_pending_submitters, is_not_exceeded_behind_a_run_over_its_time) {
    NEEDS(runs_beside_caller);
    NEEDS(shares_memory);
    const cf_task straggler_task = {.run = run_straggler, .arg_size = sizeof(counter *)};
    counter gate = {0}, ran = {0}, *at_gate = &gate, *at_ran = &ran;
    cf_executor *ex = create_with(
        (cf_pool_options){.max_workers = 1, .max_pending = BOUND, .refuse_when_full = true});
    cf_future *f = NULL;
    EXPECT(CF_OK,
           cf_executor_submit_with(ex, &straggler_task, &at_gate,
                                   &(cf_submit_options){.timeout_ns = 20 * MILLISECOND}, &f));
    EXPECT(CF_EDEADLINE, cf_future_result(f, LONG_WAIT, NULL));
    for (size_t i = 0; i < BOUND; i++) {
        EXPECT(CF_OK, cf_executor_submit(ex, &add_task, &at_ran, NULL));
    }
    EXPECT(CF_EFULL, cf_executor_submit(ex, &add_task, &at_ran, NULL));
    EXPECT_EQ(stats_of(ex).pending, BOUND);
    counter_add(&gate, 1);
    cf_future_release(f);
    cf_executor_destroy(ex);
    EXPECT_EQ(counter_get(&ran), BOUND);
}
