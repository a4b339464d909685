/* A submit beyond max_pending waits until there is room or the executor ends. With refuse_when_full it is
 * refused instead, and takes no memory. */
#include "rows.h"
#include "stats.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

TestSuite(max_pending, .timeout = TEST_SECONDS);

enum {
    BOUND = 5
};

/* One worker, held by a task, and as many tasks behind it as may be. */
typedef struct scene {
    counter *c; /* begun, gate, ran (the blocker), ran (those behind it) */
    cf_executor *ex;
    cf_future *held;
    cf_future *queued[BOUND];
    pid_t nursery; /* where there is one */
} scene;

static void find_nursery(scene *s) {
    whereabouts w;
    cf_future *f = submit(s->ex, &whereabouts_task, NULL);
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, &w));
    s->nursery = w.parent;
    cf_future_release(f);
}

static scene scene_open(bool refuse_when_full) {
    scene s = {.c = shared_alloc(4 * sizeof(counter))};
    s.ex = create_with((cf_pool_options){
        .max_workers = 1, .max_pending = BOUND, .refuse_when_full = refuse_when_full});
    if (row()->survives_worker_death) {
        find_nursery(&s);
    }
    blocker b = {.begun = &s.c[0], .gate = &s.c[1], .ran = &s.c[2]};
    s.held = submit(s.ex, &blocker_task, &b);
    cr_assert(counter_wait(&s.c[0], 1));
    counter *ran = &s.c[3];
    for (size_t i = 0; i < BOUND; i++) {
        s.queued[i] = submit(s.ex, &add_task, &ran);
    }
    EXPECT_EQ(stats_of(s.ex).pending, BOUND);
    return s;
}

/* `more`: tasks that ran but for those of the scene. */
static void scene_close(scene *s, uint32_t more) {
    counter_add(&s->c[1], 1);
    uint32_t ran = more;
    for (size_t i = 0; i < BOUND; i++) {
        ran += cf_future_result(s->queued[i], LONG_WAIT, NULL) == CF_OK;
        cf_future_release(s->queued[i]);
    }
    cf_future_release(s->held);
    cf_executor_destroy(s->ex);
    EXPECT_EQ(counter_get(&s->c[3]), ran);
    shared_free(s->c, 4 * sizeof(counter));
}

/* A thread with one task too many. */
typedef struct waiter {
    pthread_t thread;
    cf_executor *ex;
    counter *ran;
    counter about_to;
    counter back;
    cf_future *future;
    cf_status status;
} waiter;

static void *submit_one_more(void *arg) {
    waiter *w = arg;
    counter_add(&w->about_to, 1);
    w->status = cf_executor_submit(w->ex, &add_task, &w->ran, &w->future);
    counter_add(&w->back, 1);
    return NULL;
}

static void waiter_start(waiter *w, scene *s) {
    *w = (waiter){.ex = s->ex, .ran = &s->c[3]};
    cr_assert_eq(pthread_create(&w->thread, NULL, submit_one_more, w), 0);
    cr_assert(counter_wait(&w->about_to, 1));
}

/* That something does not happen can only be watched for a while. */
static void expect_waiting(waiter *w) {
    spin_for(20 * MILLISECOND);
    EXPECT_EQ(counter_get(&w->back), 0);
    EXPECT_EQ(stats_of(w->ex).pending, BOUND);
}

static void expect_back(waiter *w, cf_status wanted) {
    cr_assert(counter_wait(&w->back, 1), "submit does not return");
    cr_assert_eq(pthread_join(w->thread, NULL), 0);
    EXPECT(wanted, w->status);
    cr_assert((w->future != NULL) == (wanted == CF_OK));
}

/* ---- who waits, and until when --------------------------------------------------------------- */

Test(max_pending, waits_until_a_worker_begins_one) {
    NEEDS(runs_beside_caller);
    scene s = scene_open(false);
    waiter w;
    waiter_start(&w, &s);
    expect_waiting(&w);
    counter_add(&s.c[1], 1);
    expect_back(&w, CF_OK);
    EXPECT(CF_OK, cf_future_result(w.future, LONG_WAIT, NULL));
    cf_future_release(w.future);
    scene_close(&s, 1);
}

Test(max_pending, waits_until_one_is_cancelled) {
    NEEDS(cancels_pending);
    scene s = scene_open(false);
    waiter w;
    waiter_start(&w, &s);
    expect_waiting(&w);
    cr_assert(cf_future_cancel(s.queued[2]));
    expect_back(&w, CF_OK);
    EXPECT_EQ(cf_future_state(s.held), CF_RUNNING);
    EXPECT_EQ(stats_of(s.ex).pending, BOUND);
    cr_assert(cf_future_cancel(w.future)); /* and there is room once more */
    cf_future_release(w.future);
    counter *ran = &s.c[3];
    EXPECT(CF_OK, cf_executor_submit(s.ex, &add_task, &ran, NULL));
    scene_close(&s, 1);
}

Test(max_pending, waits_until_it_is_shut_down) {
    NEEDS(runs_beside_caller);
    for (int cancel_pending = 0; cancel_pending < 2; cancel_pending++) {
        scene s = scene_open(false);
        waiter w;
        waiter_start(&w, &s);
        expect_waiting(&w);
        EXPECT(CF_OK, cf_executor_shutdown(s.ex, false, cancel_pending));
        expect_back(&w, CF_ESHUTDOWN);
        EXPECT_EQ(cf_future_state(s.held), CF_RUNNING);
        scene_close(&s, 0);
    }
}

Test(max_pending, all_who_wait_hear_of_the_shutdown) {
    NEEDS(runs_beside_caller);
    waiter waiters[8];
    scene s = scene_open(false);
    for (size_t i = 0; i < COUNT_OF(waiters); i++) {
        waiter_start(&waiters[i], &s);
    }
    expect_waiting(&waiters[0]);
    EXPECT(CF_OK, cf_executor_shutdown(s.ex, false, false));
    for (size_t i = 0; i < COUNT_OF(waiters); i++) {
        expect_back(&waiters[i], CF_ESHUTDOWN);
    }
    scene_close(&s, 0);
}

Test(max_pending, all_who_wait_get_their_turn) {
    NEEDS(runs_beside_caller);
    waiter waiters[8];
    scene s = scene_open(false);
    for (size_t i = 0; i < COUNT_OF(waiters); i++) {
        waiter_start(&waiters[i], &s);
    }
    expect_waiting(&waiters[0]);
    counter_add(&s.c[1], 1);
    for (size_t i = 0; i < COUNT_OF(waiters); i++) {
        expect_back(&waiters[i], CF_OK);
        EXPECT(CF_OK, cf_future_result(waiters[i].future, LONG_WAIT, NULL));
        cf_future_release(waiters[i].future);
    }
    scene_close(&s, COUNT_OF(waiters));
}

Test(max_pending, waits_until_the_workers_are_terminated) {
    NEEDS(runs_beside_caller);
    scene s = scene_open(false);
    waiter w;
    waiter_start(&w, &s);
    expect_waiting(&w);
    EXPECT(CF_OK, cf_executor_terminate_workers(s.ex));
    expect_back(&w, CF_ESHUTDOWN);
    scene_close(&s, 0);
}

Test(max_pending, waits_until_the_pool_breaks) {
    NEEDS(survives_worker_death);
    scene s = scene_open(false);
    waiter w;
    waiter_start(&w, &s);
    expect_waiting(&w);
    cr_assert(s.nursery > 1 && s.nursery != getpid());
    cr_assert_eq(kill(s.nursery, SIGKILL), 0);
    expect_back(&w, CF_EBROKEN);
    EXPECT(CF_EBROKEN, cf_future_result(s.queued[0], LONG_WAIT, NULL));
    scene_close(&s, 0);
}

Test(max_pending, waits_until_a_worker_has_died) {
    NEEDS(survives_worker_death);
    NOT_REMOTE(KNOWS_WORKERS);
    scene s = scene_open(false);
    waiter w;
    cf_worker_stats worker;
    waiter_start(&w, &s);
    expect_waiting(&w);
    EXPECT(CF_OK, cf_executor_worker_stats(s.ex, 0, &worker));
    cr_assert(worker.id > 1 && kill((pid_t)worker.id, SIGKILL) == 0);
    expect_back(&w, CF_OK); /* its successor begins the next one */
    EXPECT(CF_EWORKER, cf_future_result(s.held, LONG_WAIT, NULL));
    EXPECT(CF_OK, cf_future_result(w.future, LONG_WAIT, NULL));
    cf_future_release(w.future);
    scene_close(&s, 1);
}

static void submit_in_callback(cf_future *future, void *context) {
    (void)future;
    submit_one_more(context);
}

/* Neither is a callback one of its tasks: the workers go on while it waits. */
Test(max_pending, waits_inside_a_callback) {
    NEEDS(cancels_pending);
    scene s = scene_open(false);
    waiter w = {.ex = s.ex, .ran = &s.c[3]};
    EXPECT(CF_OK, cf_future_add_done_callback(s.queued[0], submit_in_callback, &w));
    cr_assert(cf_future_cancel(s.queued[0]));
    cr_assert(counter_wait(&w.back, 1)); /* there is room for it */
    EXPECT(CF_OK, w.status);
    waiter another = {.ex = s.ex, .ran = &s.c[3]};
    EXPECT(CF_OK, cf_future_add_done_callback(s.queued[0], submit_in_callback, &another));
    cr_assert(counter_wait(&another.about_to, 1));
    expect_waiting(&another);
    counter_add(&s.c[1], 1);
    cr_assert(counter_wait(&another.back, 1));
    EXPECT(CF_OK, another.status);
    EXPECT(CF_OK, cf_future_result(w.future, LONG_WAIT, NULL));
    EXPECT(CF_OK, cf_future_result(another.future, LONG_WAIT, NULL));
    cf_future_release(w.future);
    cf_future_release(another.future);
    scene_close(&s, 2);
}

Test(max_pending, or_refuses) {
    NEEDS(runs_beside_caller);
    scene s = scene_open(true);
    counter *ran = &s.c[3];
    cf_future *f = s.held;
    EXPECT(CF_EFULL, cf_executor_submit(s.ex, &add_task, &ran, &f));
    cr_assert(f == NULL);
    EXPECT(CF_EFULL, cf_executor_submit(s.ex, &add_task, &ran, NULL));
    EXPECT_EQ(stats_of(s.ex).submitted, stats_of(s.ex).finished + 1 + BOUND);
    cr_assert(cf_future_cancel(s.queued[0]));
    EXPECT(CF_OK, cf_executor_submit(s.ex, &add_task, &ran, NULL));
    EXPECT(CF_EFULL, cf_executor_submit(s.ex, &add_task, &ran, NULL));
    counter_add(&s.c[1], 1);
    EXPECT(CF_OK, cf_future_result(s.queued[BOUND - 1], LONG_WAIT, NULL));
    EXPECT(CF_OK, cf_executor_submit(s.ex, &add_task, &ran, NULL));
    EXPECT(CF_OK, cf_executor_shutdown(s.ex, false, false));
    EXPECT(CF_ESHUTDOWN, cf_executor_submit(s.ex, &add_task, &ran, NULL));
    scene_close(&s, 2);
}

/* A large argument is copied before there is a place for its task. */
typedef struct large {
    unsigned char bytes[64 << 10];
} large;

static int run_last_byte(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    *(unsigned char *)result = ((const large *)arg)->bytes[sizeof(large) - 1];
    return 0;
}

Test(max_pending, refused_arguments_take_no_memory) {
    NEEDS(runs_beside_caller);
    const cf_task large_task = {.run = run_last_byte, .arg_size = sizeof(large), .result_size = 1};
    counter *c = shared_alloc(3 * sizeof *c);
    cf_executor *ex = create_with((cf_pool_options){
        .max_workers = 1, .max_pending = 1, .refuse_when_full = true, .arena_limit = 8 << 20});
    blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2]};
    cf_future *held = submit(ex, &blocker_task, &b);
    large *arg = calloc(1, sizeof *arg);
    arg->bytes[sizeof(large) - 1] = 77;
    cr_assert(counter_wait(&c[0], 1));
    cf_future *f = submit(ex, &large_task, arg);
    for (int i = 0; i < 2000; i++) {
        EXPECT(CF_EFULL, cf_executor_submit(ex, &large_task, arg, NULL));
    }
    counter_add(&c[1], 1);
    unsigned char got = 0;
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, &got));
    EXPECT_EQ(got, 77);
    cf_future_release(f);
    cf_future_release(held);
    cf_executor_destroy(ex);
    free(arg);
    shared_free(c, 3 * sizeof *c);
}

/* ---- many at once ---------------------------------------------------------------------------- */

Test(max_pending, many_at_once_are_refused_from_the_first_too_many) {
    NEEDS(runs_beside_caller);
    enum {
        N = 20
    };
    scene s = scene_open(true);
    counter *args[N];
    cf_future *futures[N];
    size_t submitted = SIZE_MAX;
    for (size_t i = 0; i < N; i++) {
        args[i] = &s.c[3];
    }
    EXPECT(CF_EFULL, cf_executor_submit_many(s.ex, &add_task, args, N, NULL, futures, &submitted));
    EXPECT_EQ(submitted, 0);
    cr_assert(cf_future_cancel(s.queued[0]));
    cr_assert(cf_future_cancel(s.queued[3]));
    EXPECT(CF_EFULL, cf_executor_submit_many(s.ex, &add_task, args, N, NULL, futures, &submitted));
    EXPECT_EQ(submitted, 2);
    for (size_t i = 0; i < N; i++) {
        cr_assert((futures[i] != NULL) == (i < 2));
        cf_future_release(futures[i]);
    }
    scene_close(&s, 2);
}

typedef struct batch {
    pthread_t thread;
    cf_executor *ex;
    counter *args[20];
    cf_future *futures[20];
    size_t submitted;
    cf_status status;
    counter back;
} batch;

static void *submit_batch(void *arg) {
    batch *b = arg;
    b->status = cf_executor_submit_many(b->ex, &add_task, b->args, COUNT_OF(b->args), NULL,
                                        b->futures, &b->submitted);
    counter_add(&b->back, 1);
    return NULL;
}

/* The first two of the batch find room; the shutdown comes while the third waits for it. */
Test(max_pending, many_at_once_end_with_a_shutdown) {
    NEEDS(cancels_pending);
    scene s = scene_open(false);
    batch b = {.ex = s.ex, .submitted = SIZE_MAX};
    for (size_t i = 0; i < COUNT_OF(b.args); i++) {
        b.args[i] = &s.c[3];
    }
    cr_assert(cf_future_cancel(s.queued[0]));
    cr_assert(cf_future_cancel(s.queued[1]));
    uint64_t before = stats_of(s.ex).submitted;
    cr_assert_eq(pthread_create(&b.thread, NULL, submit_batch, &b), 0);
    while (stats_of(s.ex).submitted < before + 2) {
        sched_yield();
    }
    spin_for(20 * MILLISECOND);
    EXPECT_EQ(counter_get(&b.back), 0);
    EXPECT_EQ(stats_of(s.ex).pending, BOUND);
    EXPECT(CF_OK, cf_executor_shutdown(s.ex, false, false));
    cr_assert(counter_wait(&b.back, 1), "submit_many does not return");
    cr_assert_eq(pthread_join(b.thread, NULL), 0);
    EXPECT(CF_ESHUTDOWN, b.status);
    EXPECT_EQ(b.submitted, 2);
    counter_add(&s.c[1], 1);
    for (size_t i = 0; i < COUNT_OF(b.futures); i++) {
        cr_assert((b.futures[i] != NULL) == (i < 2));
        if (i < 2) {
            EXPECT(CF_OK, cf_future_result(b.futures[i], LONG_WAIT, NULL));
        }
        cf_future_release(b.futures[i]);
    }
    scene_close(&s, 2);
}
