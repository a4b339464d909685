/* A callback may submit, wait, map, cancel, add callbacks, release, shut down and destroy. It never waits
 * for itself, and never holds up tasks or threads beside it. */
#include "callbacks.h"

#include <pthread.h>

TestSuite(callbacks_allowed, .timeout = TEST_SECONDS);

/* A callback that does something, and what came of it. */
typedef struct act {
    scene *scene;
    cf_future *other;
    cf_status status;
    cf_status status_after;
    uint64_t value;
    bool yes;
    counter done;
} act;

static void add_act(cf_future *future, cf_done_fn *callback, act *a) {
    EXPECT(CF_OK, cf_future_add_done_callback(future, callback, a));
}

static void expect_acted(act *a) {
    cr_assert(counter_wait(&a->done, 1), "the callback was not called, or does not end");
}

static void submit_another(cf_future *future, void *context) {
    (void)future;
    act *a = context;
    a->status = cf_executor_submit(a->scene->ex, &square_task, &(uint64_t){12}, &a->other);
    counter_add(&a->done, 1);
}

Test(callbacks_allowed, may_submit) {
    scene s = callback_scene_open(1);
    act a = {.scene = &s};
    cf_future *f = submit_held(&s, 1);
    add_act(f, submit_another, &a);
    let_go(&s);
    expect_acted(&a);
    EXPECT(CF_OK, a.status);
    EXPECT_EQ(take(a.other), 144);
    EXPECT_EQ(take(f), 1);
    callback_scene_close(&s);
}

/* Each callback submits the next task and adds itself to that. */
static void go_on(cf_future *future, void *context) {
    act *a = context;
    a->status = cf_future_result(future, 0, NULL);
    cf_future_release(future);
    cf_future *next = NULL;
    if (a->status == CF_OK && a->value > 0) {
        a->value--;
        a->status = cf_executor_submit(a->scene->ex, &square_task, &a->value, &next);
    }
    if (next == NULL) {
        counter_add(&a->done, 1);
    } else if ((a->status = cf_future_add_done_callback(next, go_on, a)) != CF_OK) {
        cf_future_release(next);
        counter_add(&a->done, 1);
    }
}

Test(callbacks_allowed, may_go_on_for_long) {
    scene s = callback_scene_open(2);
    act a = {.scene = &s, .value = 20000}; /* deep, were each called inside the one before */
    add_act(submit(s.ex, &square_task, &(uint64_t){1}), go_on, &a);
    expect_acted(&a);
    EXPECT(CF_OK, a.status);
    EXPECT_EQ(a.value, 0);
    callback_scene_close(&s);
}

static void cancel_another(cf_future *future, void *context) {
    (void)future;
    act *a = context;
    a->yes = cf_future_cancel(a->other);
    counter_add(&a->done, 1);
}

Test(callbacks_allowed, may_cancel_another_future) {
    NEEDS(cancels_pending);
    scene s = callback_scene_open(1);
    cf_future *done = submit(s.ex, &square_task, &(uint64_t){2});
    EXPECT(CF_OK, cf_future_result(done, LONG_WAIT, NULL));
    cf_future *held = submit_held(&s, 1);
    cf_future *pending = submit(s.ex, &square_task, &(uint64_t){3});
    entry e;
    act a = {.scene = &s, .other = pending};
    add_entry(&s, &e, pending, 0);
    add_act(done, cancel_another, &a);
    expect_acted(&a);
    cr_assert(a.yes);
    EXPECT_EQ(cf_future_state(pending), CF_CANCELLED);
    expect_called(&s, 1);
    let_go(&s);
    EXPECT_EQ(take(held), 1);
    cf_future_release(pending);
    cf_future_release(done);
    callback_scene_close(&s);
}

/* The last owner goes, and the future must still be there until the call returns. */
static void give_up(cf_future *future, void *context) {
    act *a = context;
    cf_future_release(future);
    a->status = cf_future_result(future, 0, &a->value);
    counter_add(&a->done, 1);
}

Test(callbacks_allowed, may_release_the_future_that_only_they_hold) {
    scene s = callback_scene_open(2);
    for (uint64_t i = 0; i < 500; i++) {
        act a = {.scene = &s};
        add_act(submit(s.ex, &square_task, &i), give_up, &a);
        expect_acted(&a);
        EXPECT(CF_OK, a.status);
        EXPECT_EQ(a.value, i * i);
    }
    callback_scene_close(&s);
}

static void add_one_more(cf_future *future, void *context) {
    entry *entries = context;
    write_down(future, &entries[0]);
    for (uint32_t i = 1; i <= 2; i++) {
        cf_future_add_done_callback(future, write_down, &entries[i]);
    }
}

Test(callbacks_allowed, may_add_more) {
    scene s = callback_scene_open(1);
    entry entries[4];
    cf_future *f = submit_held(&s, 1);
    for (uint32_t i = 0; i < COUNT_OF(entries); i++) {
        entries[i] = (entry){.journal = s.journal, .future = f, .number = i};
    }
    EXPECT(CF_OK, cf_future_add_done_callback(f, add_one_more, entries));
    add_entry(&s, &entries[3], f, 3); /* on serial after those that the first has added */
    let_go(&s);
    expect_called(&s, 4);
    cf_future_release(f);
    callback_scene_close(&s);
    expect_once_each(entries, COUNT_OF(entries));
}

static void wait_for_another(cf_future *future, void *context) {
    (void)future;
    act *a = context;
    cf_future *f = NULL;
    a->status = cf_executor_submit(a->scene->ex, &square_task, &(uint64_t){9}, &f);
    if (a->status == CF_OK) {
        a->status = cf_future_result(f, LONG_WAIT, &a->value);
        a->status_after = cf_wait(&f, 1, CF_ALL_COMPLETED, LONG_WAIT, NULL);
    }
    cf_future_release(f);
    counter_add(&a->done, 1);
}

Test(callbacks_allowed, may_wait_for_another_task) {
    scene s = callback_scene_open(1);
    act a = {.scene = &s};
    cf_future *f = submit_held(&s, 1);
    add_act(f, wait_for_another, &a);
    let_go(&s);
    expect_acted(&a);
    EXPECT(CF_OK, a.status);
    EXPECT(CF_OK, a.status_after);
    EXPECT_EQ(a.value, 81);
    cf_future_release(f);
    callback_scene_close(&s);
}

/* Another thread that uses the executor while a callback is going on. */
typedef struct bystander {
    pthread_t thread;
    cf_executor *ex;
    counter go;
    counter done;
    bool in_time; /* it was through before the callback was */
    cf_status status;
} bystander;

static void *submit_when_asked(void *arg) {
    bystander *b = arg;
    cf_future *f = NULL;
    counter_wait(&b->go, 1);
    b->status = cf_executor_submit(b->ex, &square_task, &(uint64_t){3}, &f);
    if (b->status == CF_OK) {
        b->status = cf_future_result(f, LONG_WAIT, NULL);
    }
    cf_future_release(f);
    counter_add(&b->done, 1);
    return NULL;
}

static void wait_for_bystander(cf_future *future, void *context) {
    (void)future;
    bystander *b = context;
    counter_add(&b->go, 1);
    b->in_time = counter_wait(&b->done, 1);
}

static int run_with_callback(const void *arg, void *result, cf_task_context *ctx) {
    (void)result;
    (void)ctx;
    bystander *b = *(bystander *const *)arg;
    cf_future *f = NULL;
    cf_status status = cf_executor_submit(b->ex, &square_task, &(uint64_t){3}, &f);
    if (status == CF_OK) {
        status = cf_future_add_done_callback(f, wait_for_bystander, b);
    }
    cf_future_release(f);
    return (int)status;
}

Test(callbacks_allowed, added_inside_a_task_hold_up_nobody) {
    NEEDS(shares_memory);
    const cf_task with_callback_task = {.run = run_with_callback, .arg_size = sizeof(void *)};
    scene s = callback_scene_open(1);
    bystander b = {.ex = s.ex}, *at = &b;
    cr_assert_eq(pthread_create(&b.thread, NULL, submit_when_asked, &b), 0);
    cf_future *f = submit(s.ex, &with_callback_task, &at);
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, NULL));
    cf_future_release(f);
    cr_assert_eq(pthread_join(b.thread, NULL), 0);
    callback_scene_close(&s);
    EXPECT(CF_OK, b.status);
    cr_assert(b.in_time);
}

static void map_squares(cf_future *future, void *context) {
    (void)future;
    act *a = context;
    uint64_t args[100], results[100] = {0};
    for (uint64_t i = 0; i < 100; i++) {
        args[i] = i;
    }
    a->status = cf_executor_map(a->scene->ex, &square_task, args, 100, results, NULL);
    a->value = results[99];
    counter_add(&a->done, 1);
}

Test(callbacks_allowed, may_map) {
    scene s = callback_scene_open(1);
    act a = {.scene = &s};
    cf_future *f = submit_held(&s, 1);
    add_act(f, map_squares, &a);
    let_go(&s);
    expect_acted(&a);
    EXPECT(CF_OK, a.status);
    EXPECT_EQ(a.value, 99 * 99);
    cf_future_release(f);
    callback_scene_close(&s);
}

static void shut_down(cf_future *future, void *context) {
    (void)future;
    act *a = context;
    a->status = cf_executor_shutdown(a->scene->ex, true, false);
    a->status_after = cf_executor_submit(a->scene->ex, &square_task, &(uint64_t){1}, NULL);
    counter_add(&a->done, 1);
}

static void destroy(cf_future *future, void *context) {
    (void)future;
    act *a = context;
    cf_executor_destroy(a->scene->ex);
    a->status_after = cf_executor_submit(a->scene->ex, &square_task, &(uint64_t){1}, NULL);
    counter_add(&a->done, 1);
}

/* It cannot wait for itself, so it only shuts down; what is pending is run, and its callbacks are
 * called. */
static void end_inside_a_callback(cf_done_fn *ending) {
    enum {
        N = 20
    };
    scene s = callback_scene_open(1);
    act a = {.scene = &s};
    cf_future *trigger = submit(s.ex, &square_task, &(uint64_t){2});
    EXPECT(CF_OK, cf_future_result(trigger, LONG_WAIT, NULL));
    cf_future *held = submit_held(&s, 1);
    cf_future *futures[N];
    entry entries[N + 1];
    for (uint32_t i = 0; i < N; i++) {
        futures[i] = submit(s.ex, &square_task, &(uint64_t){i});
        add_entry(&s, &entries[i], futures[i], i);
    }
    add_act(trigger, ending, &a);
    expect_acted(&a);
    EXPECT(CF_OK, a.status);
    EXPECT(CF_ESHUTDOWN, a.status_after);
    let_go(&s);
    for (uint64_t i = 0; i < N; i++) {
        EXPECT_EQ(take(futures[i]), i * i);
    }
    expect_called(&s, N);
    add_entry(&s, &entries[N], trigger, N);
    EXPECT(CF_OK, cf_executor_shutdown(s.ex, true, false));
    EXPECT_EQ(counter_get(&s.journal->called), N + 1);
    EXPECT_EQ(take(trigger), 4);
    EXPECT_EQ(take(held), 1);
    callback_scene_close(&s);
    expect_once_each(entries, N + 1);
}

Test(callbacks_allowed, may_shut_down) {
    end_inside_a_callback(shut_down);
}

Test(callbacks_allowed, may_destroy_which_shuts_down) {
    end_inside_a_callback(destroy);
}

Test(callbacks_allowed, of_a_destroyed_executor_may_be_its_last_owner) {
    scene s = callback_scene_open(1);
    cf_future *f = submit(s.ex, &square_task, &(uint64_t){5});
    cf_executor_destroy(s.ex);
    s.ex = NULL;
    act a = {.scene = &s};
    add_act(f, give_up, &a);
    expect_acted(&a);
    EXPECT(CF_OK, a.status);
    EXPECT_EQ(a.value, 25);
    callback_scene_close(&s);
}
