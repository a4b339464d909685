/* terminate_workers and kill_workers shut the executor down and cancel what is pending, whenever and from
 * wherever they are called. Every future ends, and every callback is called. */
#include "terminate.h"

#include <pthread.h>

TestSuite(terminate, .timeout = TEST_SECONDS);

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
    NOT_REMOTE(USES_EXECUTOR);
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
        scene s = terminate_scene_open(&blocker_task, 0);
        EXPECT(CF_OK, cf_executor_shutdown(s.ex, false, false));
        EXPECT_EQ(cf_future_state(s.queued[0]), CF_PENDING);
        EXPECT(CF_OK, ways[w].end(s.ex));
        expect_queue_cancelled(&s);
        for (size_t i = 0; i < WORKERS; i++) {
            expect_ended_by(s.held[i], ways[w].signal);
        }
        terminate_scene_close(&s);
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
    terminate_scene_close(s);
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
        scene s = terminate_scene_open(&blocker_task, 0);
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
        scene s = terminate_scene_open(&blocker_task, 0);
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
        scene s = terminate_scene_open(&blocker_task, 0);
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
        scene s = terminate_scene_open(&blocker_task, 0);
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
