/* Callbacks: called once each, in order, one at a time, whatever has become of the task. */
#include "rows.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(callbacks, .timeout = TEST_SECONDS);

/* ---- who was called, and when ---------------------------------------------------------------- */

enum {
    CALLS_MAX = 8192
};

/* Written without a lock: callbacks of one executor are called one after the other, which `inside`
 * proves. */
typedef struct journal {
    counter called;
    _Atomic uint32_t inside;
    _Atomic uint32_t overlaps;
    uint32_t numbers[CALLS_MAX];
} journal;

/* One callback. It outlives the executor, so that a second call would be seen. */
typedef struct entry {
    journal *journal;
    cf_future *future;
    uint32_t number;
    uint32_t calls;
    bool wrong; /* another future, or one that is not done */
} entry;

static void write_down(cf_future *future, void *context) {
    entry *e = context;
    journal *j = e->journal;
    if (atomic_exchange(&j->inside, 1) != 0) {
        atomic_fetch_add(&j->overlaps, 1);
    }
    e->calls++;
    e->wrong = e->wrong || future != e->future || !cf_future_done(future);
    uint32_t place = counter_get(&j->called);
    if (place < CALLS_MAX) {
        j->numbers[place] = e->number;
    }
    atomic_store(&j->inside, 0);
    counter_add(&j->called, 1);
}

/* The executor, the journal of its callbacks, and what its tasks meet at. */
typedef struct scene {
    footprint before;
    counter *c; /* begun, gate, ran, another gate */
    cf_executor *ex;
    journal *journal;
} scene;

static scene scene_open(unsigned workers) {
    scene s = {.before = footprint_now()};
    s.c = shared_alloc(4 * sizeof(counter));
    s.journal = calloc(1, sizeof(journal));
    s.ex = create(workers);
    return s;
}

static void scene_close(scene *s) {
    cf_executor_destroy(s->ex);
    EXPECT_EQ(atomic_load(&s->journal->overlaps), 0);
    free(s->journal);
    shared_free(s->c, 4 * sizeof(counter));
    footprint_check(s->before);
}

/* A task that has begun and waits for its gate; serial's has passed it. */
static cf_future *submit_held(scene *s, uint64_t value) {
    blocker b = {.begun = &s->c[0], .gate = &s->c[1], .ran = &s->c[2], .value = value};
    if (!row()->runs_beside_caller) {
        counter_add(&s->c[1], 1);
    }
    uint32_t begun = counter_get(&s->c[0]);
    cf_future *f = submit(s->ex, &blocker_task, &b);
    cr_assert(counter_wait(&s->c[0], begun + 1));
    return f;
}

static void let_go(scene *s) {
    counter_add(&s->c[1], 1);
}

static void add(scene *s, entry *e, cf_future *future, uint32_t number) {
    *e = (entry){.journal = s->journal, .future = future, .number = number};
    EXPECT(CF_OK, cf_future_add_done_callback(future, write_down, e));
}

static void expect_called(scene *s, uint32_t times) {
    cr_assert(counter_wait(&s->journal->called, times), "%u of %u were called",
              counter_get(&s->journal->called), times);
    EXPECT_EQ(counter_get(&s->journal->called), times);
}

static void expect_once_each(const entry *entries, size_t count) {
    for (size_t i = 0; i < count; i++) {
        cr_assert(entries[i].calls == 1, "callback %zu was called %u times", i, entries[i].calls);
        cr_assert_not(entries[i].wrong, "callback %zu was given what it was not added to", i);
    }
}

static void expect_in_order_of_adding(const journal *j, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        EXPECT_EQ(j->numbers[i], i);
    }
}

/* ---- when they are added --------------------------------------------------------------------- */

Test(callbacks, are_called_whenever_they_were_added) {
    scene s = scene_open(1);
    counter *gate = &s.c[3];
    entry entries[3];
    cf_future *first = submit_held(&s, 1);
    if (!row()->runs_beside_caller) {
        counter_add(gate, 1);
    }
    blocker b = {.begun = &s.c[0], .gate = gate, .ran = &s.c[2], .value = 2};
    cf_future *f = submit(s.ex, &blocker_task, &b);
    add(&s, &entries[0], f, 0); /* while it is pending, */
    let_go(&s);
    cr_assert(counter_wait(&s.c[0], 2));
    add(&s, &entries[1], f, 1); /* running, */
    counter_add(gate, 1);
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, NULL));
    add(&s, &entries[2], f, 2); /* done */
    expect_called(&s, 3);
    expect_in_order_of_adding(s.journal, 3);
    EXPECT_EQ(take(first), 1);
    EXPECT_EQ(take(f), 2);
    scene_close(&s);
    expect_once_each(entries, 3);
}

Test(callbacks, do_not_come_before_the_end) {
    NEEDS(runs_beside_caller);
    scene s = scene_open(1);
    entry e;
    cf_future *f = submit_held(&s, 7);
    add(&s, &e, f, 0);
    spin_for(20 * MILLISECOND);
    EXPECT_EQ(counter_get(&s.journal->called), 0);
    let_go(&s);
    expect_called(&s, 1);
    cf_future_release(f);
    scene_close(&s);
}

Test(callbacks, of_one_future_are_called_in_order) {
    enum {
        N = 2000
    };
    scene s = scene_open(1);
    entry *entries = calloc(N, sizeof *entries);
    cf_future *f = submit_held(&s, 7);
    for (uint32_t i = 0; i < N; i++) {
        if (i == N / 2) { /* the rest while it ends, and is done */
            let_go(&s);
        }
        add(&s, &entries[i], f, i);
    }
    expect_called(&s, N);
    expect_in_order_of_adding(s.journal, N);
    cf_future_release(f);
    scene_close(&s);
    expect_once_each(entries, N);
    free(entries);
}

Test(callbacks, of_thousands_of_futures) {
    enum {
        FUTURES = 2000,
        EACH = 3,
        N = FUTURES * EACH
    };
    scene s = scene_open(2);
    entry *entries = calloc(N, sizeof *entries);
    for (uint32_t i = 0; i < FUTURES; i++) {
        cf_future *f = submit(s.ex, &square_task, &(uint64_t){i});
        for (uint32_t k = 0; k < EACH; k++) {
            add(&s, &entries[i * EACH + k], f, i * EACH + k);
        }
        cf_future_release(f); /* the callbacks hold it */
    }
    expect_called(&s, N);
    uint32_t last[FUTURES] = {0};
    for (size_t i = 0; i < N; i++) {
        uint32_t future = s.journal->numbers[i] / EACH;
        EXPECT_EQ(s.journal->numbers[i], future * EACH + last[future]);
        last[future]++;
    }
    scene_close(&s);
    expect_once_each(entries, N);
    free(entries);
}

static int run_spin(const void *arg, void *result, cf_task_context *ctx) {
    (void)result;
    (void)ctx;
    spin_for(*(const int64_t *)arg);
    return 0;
}

static const cf_task spin_task = {.name = "spin", .run = run_spin, .arg_size = sizeof(int64_t)};

enum {
    ADDERS = 8
};

typedef struct adder {
    pthread_t thread;
    counter *start;
    _Atomic(cf_future *) *future;
    int64_t delay_ns;
    entry entry;
    cf_status status;
} adder;

static void *add_after_delay(void *arg) {
    adder *a = arg;
    counter_wait(a->start, 1);
    a->entry.future = atomic_load(a->future);
    spin_for(a->delay_ns);
    a->status = cf_future_add_done_callback(a->entry.future, write_down, &a->entry);
    return NULL;
}

static void add_at_completion(scene *s, uint64_t *seed) {
    counter start = {0};
    _Atomic(cf_future *) future = NULL;
    adder adders[ADDERS];
    uint32_t before = counter_get(&s->journal->called);
    int64_t run_ns = (int64_t)(random_next(seed) % (200 * MICROSECOND));
    for (size_t i = 0; i < ADDERS; i++) {
        adders[i] = (adder){.start = &start,
                            .future = &future,
                            .delay_ns = (int64_t)(random_next(seed) % (100 * MICROSECOND)),
                            .entry = {.journal = s->journal}};
        cr_assert_eq(pthread_create(&adders[i].thread, NULL, add_after_delay, &adders[i]), 0);
    }
    atomic_store(&future, submit(s->ex, &spin_task, &run_ns));
    counter_add(&start, 1);
    for (size_t i = 0; i < ADDERS; i++) {
        cr_assert_eq(pthread_join(adders[i].thread, NULL), 0);
        EXPECT(CF_OK, adders[i].status);
    }
    expect_called(s, before + ADDERS);
    for (size_t i = 0; i < ADDERS; i++) {
        expect_once_each(&adders[i].entry, 1);
    }
    cf_future_release(atomic_load(&future));
}

Test(callbacks, added_by_eight_threads_as_the_task_ends) {
    uint64_t seed = test_seed("callbacks/added_by_eight_threads_as_the_task_ends");
    const size_t rounds = scaled(200);
    scene s = scene_open(2);
    for (size_t i = 0; i < rounds; i++) {
        add_at_completion(&s, &seed);
    }
    scene_close(&s);
}

/* ---- whatever has become of the task --------------------------------------------------------- */

static int run_die(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg;
    (void)result;
    (void)ctx;
    return raise(SIGKILL);
}

static const cf_task die_task = {.name = "die", .run = run_die};

static int run_until_cancelled(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg;
    (void)result;
    const int64_t end = now_ns() + LONG_WAIT;
    while (!cf_task_cancelled(ctx) && now_ns() < end) {}
    return 0;
}

static const cf_task until_cancelled_task = {.run = run_until_cancelled};

/* Adds a callback before or after the task is done, and gives the future up. */
static void expect_callback(scene *s, cf_future *future, cf_status wanted) {
    static entry entries[2]; /* until the executor is destroyed */
    uint32_t before = counter_get(&s->journal->called);
    cf_future_retain(future);
    add(s, &entries[0], future, 0);
    expect_called(s, before + 1);
    EXPECT(wanted, cf_future_result(future, 0, NULL));
    add(s, &entries[1], future, 1);
    expect_called(s, before + 2);
    expect_once_each(entries, 2);
    cf_future_release(future);
    cf_future_release(future);
}

Test(callbacks, of_tasks_that_succeed_or_fail) {
    scene s = scene_open(2);
    expect_callback(&s, submit(s.ex, &square_task, &(uint64_t){3}), CF_OK);
    expect_callback(&s, submit(s.ex, &error_task, &(int){5}), CF_ETASK);
    scene_close(&s);
}

Test(callbacks, of_a_task_over_its_time) {
    scene s = scene_open(2);
    cf_future *f = NULL;
    EXPECT(CF_OK,
           cf_executor_submit_with(s.ex, &until_cancelled_task, NULL,
                                   &(cf_submit_options){.timeout_ns = 20 * MILLISECOND}, &f));
    expect_callback(&s, f, CF_EDEADLINE);
    scene_close(&s);
}

Test(callbacks, of_a_task_whose_worker_died) {
    NEEDS(survives_worker_death);
    scene s = scene_open(2);
    for (int i = 0; i < 10; i++) {
        expect_callback(&s, submit(s.ex, &die_task, NULL), CF_EWORKER);
    }
    scene_close(&s);
}

Test(callbacks, of_cancelled_tasks) {
    NEEDS(cancels_pending);
    scene s = scene_open(1);
    entry entries[3];
    cf_future *held = submit_held(&s, 1);
    cf_future *by_caller = submit(s.ex, &square_task, &(uint64_t){2});
    cf_future *by_shutdown = submit(s.ex, &square_task, &(uint64_t){3});
    add(&s, &entries[0], by_caller, 0);
    cr_assert(cf_future_cancel(by_caller));
    expect_called(&s, 1);
    add(&s, &entries[1], by_caller, 1); /* it is done, and nobody ever ran it */
    expect_called(&s, 2);
    add(&s, &entries[2], by_shutdown, 2);
    EXPECT(CF_OK, cf_executor_shutdown(s.ex, false, true));
    expect_called(&s, 3);
    EXPECT_EQ(cf_future_state(by_shutdown), CF_CANCELLED);
    let_go(&s);
    cf_future_release(by_caller);
    cf_future_release(by_shutdown);
    EXPECT_EQ(take(held), 1);
    scene_close(&s);
    expect_once_each(entries, 3);
}

Test(callbacks, of_a_broken_pool) {
    NEEDS(survives_worker_death);
    enum {
        N = 50
    };
    scene s = scene_open(1);
    entry entries[N + 1];
    cf_future *futures[N + 1];
    whereabouts w;
    cf_future *f = submit(s.ex, &whereabouts_task, NULL);
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, &w));
    cf_future_release(f);
    cr_assert(w.parent > 1 && w.parent != getpid());
    futures[0] = submit_held(&s, 1);
    for (uint64_t i = 1; i <= N; i++) {
        futures[i] = submit(s.ex, &square_task, &i);
    }
    for (uint32_t i = 0; i <= N; i++) {
        add(&s, &entries[i], futures[i], i);
    }
    cr_assert_eq(kill(w.parent, SIGKILL), 0); /* the nursery */
    expect_called(&s, N + 1);
    for (size_t i = 0; i <= N; i++) {
        EXPECT(CF_EBROKEN, cf_future_result(futures[i], 0, NULL));
        cf_future_release(futures[i]);
    }
    scene_close(&s);
    expect_once_each(entries, N + 1);
}

/* ---- what they may do ------------------------------------------------------------------------ */

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

Test(callbacks, may_submit) {
    scene s = scene_open(1);
    act a = {.scene = &s};
    cf_future *f = submit_held(&s, 1);
    add_act(f, submit_another, &a);
    let_go(&s);
    expect_acted(&a);
    EXPECT(CF_OK, a.status);
    EXPECT_EQ(take(a.other), 144);
    EXPECT_EQ(take(f), 1);
    scene_close(&s);
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

Test(callbacks, may_go_on_for_long) {
    scene s = scene_open(2);
    act a = {.scene = &s, .value = 20000}; /* deep, were each called inside the one before */
    add_act(submit(s.ex, &square_task, &(uint64_t){1}), go_on, &a);
    expect_acted(&a);
    EXPECT(CF_OK, a.status);
    EXPECT_EQ(a.value, 0);
    scene_close(&s);
}

static void cancel_another(cf_future *future, void *context) {
    (void)future;
    act *a = context;
    a->yes = cf_future_cancel(a->other);
    counter_add(&a->done, 1);
}

Test(callbacks, may_cancel_another_future) {
    NEEDS(cancels_pending);
    scene s = scene_open(1);
    cf_future *done = submit(s.ex, &square_task, &(uint64_t){2});
    EXPECT(CF_OK, cf_future_result(done, LONG_WAIT, NULL));
    cf_future *held = submit_held(&s, 1);
    cf_future *pending = submit(s.ex, &square_task, &(uint64_t){3});
    entry e;
    act a = {.scene = &s, .other = pending};
    add(&s, &e, pending, 0);
    add_act(done, cancel_another, &a);
    expect_acted(&a);
    cr_assert(a.yes);
    EXPECT_EQ(cf_future_state(pending), CF_CANCELLED);
    expect_called(&s, 1);
    let_go(&s);
    EXPECT_EQ(take(held), 1);
    cf_future_release(pending);
    cf_future_release(done);
    scene_close(&s);
}

/* The last owner goes, and the future must still be there until the call returns. */
static void give_up(cf_future *future, void *context) {
    act *a = context;
    cf_future_release(future);
    a->status = cf_future_result(future, 0, &a->value);
    counter_add(&a->done, 1);
}

Test(callbacks, may_release_the_future_that_only_they_hold) {
    scene s = scene_open(2);
    for (uint64_t i = 0; i < 500; i++) {
        act a = {.scene = &s};
        add_act(submit(s.ex, &square_task, &i), give_up, &a);
        expect_acted(&a);
        EXPECT(CF_OK, a.status);
        EXPECT_EQ(a.value, i * i);
    }
    scene_close(&s);
}

static void add_one_more(cf_future *future, void *context) {
    entry *entries = context;
    write_down(future, &entries[0]);
    for (uint32_t i = 1; i <= 2; i++) {
        cf_future_add_done_callback(future, write_down, &entries[i]);
    }
}

Test(callbacks, may_add_more) {
    scene s = scene_open(1);
    entry entries[4];
    cf_future *f = submit_held(&s, 1);
    for (uint32_t i = 0; i < COUNT_OF(entries); i++) {
        entries[i] = (entry){.journal = s.journal, .future = f, .number = i};
    }
    EXPECT(CF_OK, cf_future_add_done_callback(f, add_one_more, entries));
    add(&s, &entries[3], f, 3); /* on serial after those that the first has added */
    let_go(&s);
    expect_called(&s, 4);
    cf_future_release(f);
    scene_close(&s);
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

Test(callbacks, may_wait_for_another_task) {
    scene s = scene_open(1);
    act a = {.scene = &s};
    cf_future *f = submit_held(&s, 1);
    add_act(f, wait_for_another, &a);
    let_go(&s);
    expect_acted(&a);
    EXPECT(CF_OK, a.status);
    EXPECT(CF_OK, a.status_after);
    EXPECT_EQ(a.value, 81);
    cf_future_release(f);
    scene_close(&s);
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

Test(callbacks, added_inside_a_task_hold_up_nobody) {
    NEEDS(shares_memory);
    const cf_task with_callback_task = {.run = run_with_callback, .arg_size = sizeof(void *)};
    scene s = scene_open(1);
    bystander b = {.ex = s.ex}, *at = &b;
    cr_assert_eq(pthread_create(&b.thread, NULL, submit_when_asked, &b), 0);
    cf_future *f = submit(s.ex, &with_callback_task, &at);
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, NULL));
    cf_future_release(f);
    cr_assert_eq(pthread_join(b.thread, NULL), 0);
    scene_close(&s);
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

Test(callbacks, may_map) {
    scene s = scene_open(1);
    act a = {.scene = &s};
    cf_future *f = submit_held(&s, 1);
    add_act(f, map_squares, &a);
    let_go(&s);
    expect_acted(&a);
    EXPECT(CF_OK, a.status);
    EXPECT_EQ(a.value, 99 * 99);
    cf_future_release(f);
    scene_close(&s);
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
    scene s = scene_open(1);
    act a = {.scene = &s};
    cf_future *trigger = submit(s.ex, &square_task, &(uint64_t){2});
    EXPECT(CF_OK, cf_future_result(trigger, LONG_WAIT, NULL));
    cf_future *held = submit_held(&s, 1);
    cf_future *futures[N];
    entry entries[N + 1];
    for (uint32_t i = 0; i < N; i++) {
        futures[i] = submit(s.ex, &square_task, &(uint64_t){i});
        add(&s, &entries[i], futures[i], i);
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
    add(&s, &entries[N], trigger, N);
    EXPECT(CF_OK, cf_executor_shutdown(s.ex, true, false));
    EXPECT_EQ(counter_get(&s.journal->called), N + 1);
    EXPECT_EQ(take(trigger), 4);
    EXPECT_EQ(take(held), 1);
    scene_close(&s);
    expect_once_each(entries, N + 1);
}

Test(callbacks, may_shut_down) {
    end_inside_a_callback(shut_down);
}

Test(callbacks, may_destroy_which_shuts_down) {
    end_inside_a_callback(destroy);
}

/* ---- where they are called ------------------------------------------------------------------- */

typedef struct place {
    pthread_t thread;
    sigset_t blocked;
    counter done;
} place;

static void note_place(cf_future *future, void *context) {
    (void)future;
    place *p = context;
    p->thread = pthread_self();
    pthread_sigmask(SIG_BLOCK, NULL, &p->blocked);
    counter_add(&p->done, 1);
}

Test(callbacks, run_on_a_thread_that_takes_no_signals) {
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGALRM, SIGUSR1, SIGCHLD};
    scene s = scene_open(1);
    cf_future *f = submit_held(&s, 1);
    place before = {0}, after = {0};
    EXPECT(CF_OK, cf_future_add_done_callback(f, note_place, &before));
    let_go(&s);
    cr_assert(counter_wait(&before.done, 1));
    EXPECT(CF_OK, cf_future_add_done_callback(f, note_place, &after));
    cr_assert(counter_wait(&after.done, 1));
    cr_assert(pthread_equal(before.thread, after.thread));
    EXPECT_EQ(!row()->runs_beside_caller, pthread_equal(before.thread, pthread_self()) != 0);
    for (size_t i = 0; row()->runs_beside_caller && i < COUNT_OF(signals); i++) {
        cr_assert(sigismember(&before.blocked, signals[i]), "signal %d", signals[i]);
    }
    cf_future_release(f);
    scene_close(&s);
}

/* A callback that stays inside until its gate opens; serial's is called inside the call that adds
 * it, and that is on a thread of its own therefore. */
typedef struct stay {
    pthread_t thread;
    cf_future *future;
    counter inside;
    counter gate;
    cf_status status;
} stay;

static void stay_inside(cf_future *future, void *context) {
    (void)future;
    stay *w = context;
    counter_add(&w->inside, 1);
    counter_wait(&w->gate, 1);
}

static void *add_stay(void *arg) {
    stay *w = arg;
    w->status = cf_future_add_done_callback(w->future, stay_inside, w);
    return NULL;
}

Test(callbacks, wait_for_one_that_is_going_on) {
    scene s = scene_open(2);
    entry entries[2];
    stay w = {.future = submit(s.ex, &square_task, &(uint64_t){2})};
    EXPECT(CF_OK, cf_future_result(w.future, LONG_WAIT, NULL));
    cr_assert_eq(pthread_create(&w.thread, NULL, add_stay, &w), 0);
    cr_assert(counter_wait(&w.inside, 1));
    cf_future *f = submit(s.ex, &square_task, &(uint64_t){3}); /* tasks do not wait, */
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, NULL));
    add(&s, &entries[0], f, 0);
    add(&s, &entries[1], w.future, 1); /* and neither does who adds one */
    spin_for(20 * MILLISECOND);
    EXPECT_EQ(counter_get(&s.journal->called), 0);
    counter_add(&w.gate, 1);
    expect_called(&s, 2);
    expect_in_order_of_adding(s.journal, 2);
    cr_assert_eq(pthread_join(w.thread, NULL), 0);
    EXPECT(CF_OK, w.status);
    cf_future_release(f);
    cf_future_release(w.future);
    scene_close(&s);
    expect_once_each(entries, 2);
}

typedef struct iteration {
    pthread_t thread;
    cf_future **futures;
    size_t count;
    size_t handed_out;
    cf_status status;
} iteration;

static void *iterate(void *arg) {
    iteration *it = arg;
    cf_as_completed *ac = NULL;
    cf_future *f;
    it->status = cf_as_completed_create(it->futures, it->count, &ac);
    while (it->status == CF_OK) {
        it->status = cf_as_completed_next(ac, LONG_WAIT, &f, NULL);
        it->handed_out += it->status == CF_OK;
    }
    cf_as_completed_destroy(ac);
    return NULL;
}

Test(callbacks, beside_as_completed_in_another_thread) {
    enum {
        N = 2000,
        ROUNDS = 4
    };
    scene s = scene_open(2);
    entry *entries = calloc(N * ROUNDS, sizeof *entries);
    cf_future *futures[N];
    for (uint32_t round = 0; round < ROUNDS; round++) {
        iteration it = {.futures = futures, .count = N};
        for (uint64_t i = 0; i < N; i++) {
            futures[i] = submit(s.ex, &square_task, &i);
        }
        cr_assert_eq(pthread_create(&it.thread, NULL, iterate, &it), 0);
        for (uint32_t i = 0; i < N; i++) {
            add(&s, &entries[round * N + i], futures[i], i);
        }
        expect_called(&s, (round + 1) * N);
        cr_assert_eq(pthread_join(it.thread, NULL), 0);
        EXPECT(CF_EEXHAUSTED, it.status);
        EXPECT_EQ(it.handed_out, N);
        for (uint64_t i = 0; i < N; i++) {
            EXPECT_EQ(take(futures[i]), i * i);
        }
    }
    scene_close(&s);
    expect_once_each(entries, N * ROUNDS);
    free(entries);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void write_down_slowly(cf_future *future, void *context) {
    spin_for(MILLISECOND);
    write_down(future, context);
}

/* It adds another, which shutdown has to wait for too. */
static void write_down_and_add(cf_future *future, void *context) {
    entry *e = context;
    cf_future_add_done_callback(future, write_down_slowly, e + 1);
    write_down_slowly(future, e);
}

Test(callbacks, are_waited_for_by_shutdown) {
    enum {
        FUTURES = 25,
        N = 2 * FUTURES
    };
    for (int ending = 0; ending < 2; ending++) {
        scene s = scene_open(2);
        entry entries[N];
        for (uint32_t i = 0; i < N; i += 2) {
            cf_future *f = submit(s.ex, &square_task, &(uint64_t){i});
            entries[i] = (entry){.journal = s.journal, .future = f};
            entries[i + 1] = entries[i];
            EXPECT(CF_OK, cf_future_add_done_callback(f, write_down_and_add, &entries[i]));
            cf_future_release(f);
        }
        if (ending == 0) {
            EXPECT(CF_OK, cf_executor_shutdown(s.ex, true, false));
        } else {
            cf_executor_destroy(s.ex);
            s.ex = NULL;
        }
        EXPECT_EQ(counter_get(&s.journal->called), N);
        expect_once_each(entries, N);
        scene_close(&s);
    }
}

Test(callbacks, added_after_shutdown_and_destroy) {
    enum {
        N = 6
    };
    scene s = scene_open(1);
    entry entries[N];
    cf_future *f = submit(s.ex, &square_task, &(uint64_t){5});
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, NULL));
    EXPECT(CF_OK, cf_executor_shutdown(s.ex, false, false));
    add(&s, &entries[0], f, 0);
    expect_called(&s, 1);
    EXPECT(CF_OK, cf_executor_shutdown(s.ex, true, false));
    add(&s, &entries[1], f, 1);
    add(&s, &entries[2], f, 2);
    expect_called(&s, 3);
    cf_executor_destroy(s.ex);
    s.ex = NULL;
    for (uint32_t i = 3; i < N; i++) {
        add(&s, &entries[i], f, i);
    }
    expect_called(&s, N);
    expect_in_order_of_adding(s.journal, N);
    expect_once_each(entries, N);
    EXPECT_EQ(take(f), 25);
    scene_close(&s);
}

Test(callbacks, of_a_destroyed_executor_may_be_its_last_owner) {
    scene s = scene_open(1);
    cf_future *f = submit(s.ex, &square_task, &(uint64_t){5});
    cf_executor_destroy(s.ex);
    s.ex = NULL;
    act a = {.scene = &s};
    add_act(f, give_up, &a);
    expect_acted(&a);
    EXPECT(CF_OK, a.status);
    EXPECT_EQ(a.value, 25);
    scene_close(&s);
}

/* ---- refusals -------------------------------------------------------------------------------- */

Test(callbacks, refuse_what_is_none) {
    scene s = scene_open(1);
    entry e = {.journal = s.journal};
    cf_future *f = submit(s.ex, &square_task, &(uint64_t){5});
    EXPECT(CF_EINVAL, cf_future_add_done_callback(NULL, write_down, &e));
    EXPECT(CF_EINVAL, cf_future_add_done_callback(f, NULL, &e));
    EXPECT_EQ(take(f), 25);
    scene_close(&s);
    EXPECT_EQ(e.calls, 0);
}

static int child_is_refused(void *context) {
    cf_future *const *futures = context;
    journal j = {0};
    entry e = {.journal = &j};
    HOST_CHECK(cf_future_add_done_callback(futures[0], write_down, &e) == CF_EFORKED);
    HOST_CHECK(cf_future_add_done_callback(futures[1], write_down, &e) == CF_EFORKED);
    HOST_CHECK(e.calls == 0);
    return 0;
}

Test(callbacks, are_refused_in_a_forked_child) {
    scene s = scene_open(1);
    entry e;
    cf_future *futures[2];
    futures[0] = submit(s.ex, &square_task, &(uint64_t){5});
    EXPECT(CF_OK, cf_future_result(futures[0], LONG_WAIT, NULL));
    futures[1] = submit_held(&s, 6);
    add(&s, &e, futures[1], 0);
    EXPECT_HOST_OK(host_run(child_is_refused, futures));
    let_go(&s); /* and the parent's is called, once */
    expect_called(&s, 1);
    EXPECT_EQ(take(futures[0]), 25);
    EXPECT_EQ(take(futures[1]), 6);
    scene_close(&s);
    expect_once_each(&e, 1);
}
