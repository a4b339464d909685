/* A callback is called once, whenever it was added, in the order of adding and one at a time, on a thread
 * that takes no signals. NULL is refused, and so is every callback in a forked child. */
#include "callbacks.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

TestSuite(callbacks, .timeout = TEST_SECONDS);

/* ---- when they are added --------------------------------------------------------------------- */

Test(callbacks, are_called_whenever_they_were_added) {
    scene s = callback_scene_open(1);
    counter *gate = &s.c[3];
    entry entries[3];
    cf_future *first = submit_held(&s, 1);
    if (!row()->runs_beside_caller) {
        counter_add(gate, 1);
    }
    blocker b = {.begun = &s.c[0], .gate = gate, .ran = &s.c[2], .value = 2};
    cf_future *f = submit(s.ex, &blocker_task, &b);
    add_entry(&s, &entries[0], f, 0); /* while it is pending, */
    let_go(&s);
    cr_assert(counter_wait(&s.c[0], 2));
    add_entry(&s, &entries[1], f, 1); /* running, */
    counter_add(gate, 1);
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, NULL));
    add_entry(&s, &entries[2], f, 2); /* done */
    expect_called(&s, 3);
    expect_in_order_of_adding(s.journal, 3);
    EXPECT_EQ(take(first), 1);
    EXPECT_EQ(take(f), 2);
    callback_scene_close(&s);
    expect_once_each(entries, 3);
}

Test(callbacks, do_not_come_before_the_end) {
    NEEDS(runs_beside_caller);
    scene s = callback_scene_open(1);
    entry e;
    cf_future *f = submit_held(&s, 7);
    add_entry(&s, &e, f, 0);
    spin_for(20 * MILLISECOND);
    EXPECT_EQ(counter_get(&s.journal->called), 0);
    let_go(&s);
    expect_called(&s, 1);
    cf_future_release(f);
    callback_scene_close(&s);
}

Test(callbacks, of_one_future_are_called_in_order) {
    enum {
        N = 2000
    };
    scene s = callback_scene_open(1);
    entry *entries = calloc(N, sizeof *entries);
    cf_future *f = submit_held(&s, 7);
    for (uint32_t i = 0; i < N; i++) {
        if (i == N / 2) { /* the rest while it ends, and is done */
            let_go(&s);
        }
        add_entry(&s, &entries[i], f, i);
    }
    expect_called(&s, N);
    expect_in_order_of_adding(s.journal, N);
    cf_future_release(f);
    callback_scene_close(&s);
    expect_once_each(entries, N);
    free(entries);
}

Test(callbacks, of_thousands_of_futures) {
    enum {
        FUTURES = 2000,
        EACH = 3,
        N = FUTURES * EACH
    };
    scene s = callback_scene_open(2);
    entry *entries = calloc(N, sizeof *entries);
    for (uint32_t i = 0; i < FUTURES; i++) {
        cf_future *f = submit(s.ex, &square_task, &(uint64_t){i});
        for (uint32_t k = 0; k < EACH; k++) {
            add_entry(&s, &entries[i * EACH + k], f, i * EACH + k);
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
    callback_scene_close(&s);
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
    scene s = callback_scene_open(2);
    for (size_t i = 0; i < rounds; i++) {
        add_at_completion(&s, &seed);
    }
    callback_scene_close(&s);
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
    scene s = callback_scene_open(1);
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
    callback_scene_close(&s);
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
    scene s = callback_scene_open(2);
    entry entries[2];
    stay w = {.future = submit(s.ex, &square_task, &(uint64_t){2})};
    EXPECT(CF_OK, cf_future_result(w.future, LONG_WAIT, NULL));
    cr_assert_eq(pthread_create(&w.thread, NULL, add_stay, &w), 0);
    cr_assert(counter_wait(&w.inside, 1));
    cf_future *f = submit(s.ex, &square_task, &(uint64_t){3}); /* tasks do not wait, */
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, NULL));
    add_entry(&s, &entries[0], f, 0);
    add_entry(&s, &entries[1], w.future, 1); /* and neither does who adds one */
    spin_for(20 * MILLISECOND);
    EXPECT_EQ(counter_get(&s.journal->called), 0);
    counter_add(&w.gate, 1);
    expect_called(&s, 2);
    expect_in_order_of_adding(s.journal, 2);
    cr_assert_eq(pthread_join(w.thread, NULL), 0);
    EXPECT(CF_OK, w.status);
    cf_future_release(f);
    cf_future_release(w.future);
    callback_scene_close(&s);
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
    scene s = callback_scene_open(2);
    entry *entries = calloc(N * ROUNDS, sizeof *entries);
    cf_future *futures[N];
    for (uint32_t round = 0; round < ROUNDS; round++) {
        iteration it = {.futures = futures, .count = N};
        for (uint64_t i = 0; i < N; i++) {
            futures[i] = submit(s.ex, &square_task, &i);
        }
        cr_assert_eq(pthread_create(&it.thread, NULL, iterate, &it), 0);
        for (uint32_t i = 0; i < N; i++) {
            add_entry(&s, &entries[round * N + i], futures[i], i);
        }
        expect_called(&s, (round + 1) * N);
        cr_assert_eq(pthread_join(it.thread, NULL), 0);
        EXPECT(CF_EEXHAUSTED, it.status);
        EXPECT_EQ(it.handed_out, N);
        for (uint64_t i = 0; i < N; i++) {
            EXPECT_EQ(take(futures[i]), i * i);
        }
    }
    callback_scene_close(&s);
    expect_once_each(entries, N * ROUNDS);
    free(entries);
}

/* ---- refusals -------------------------------------------------------------------------------- */

Test(callbacks, refuse_what_is_none) {
    scene s = callback_scene_open(1);
    entry e = {.journal = s.journal};
    cf_future *f = submit(s.ex, &square_task, &(uint64_t){5});
    EXPECT(CF_EINVAL, cf_future_add_done_callback(NULL, write_down, &e));
    EXPECT(CF_EINVAL, cf_future_add_done_callback(f, NULL, &e));
    EXPECT_EQ(take(f), 25);
    callback_scene_close(&s);
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
    scene s = callback_scene_open(1);
    entry e;
    cf_future *futures[2];
    futures[0] = submit(s.ex, &square_task, &(uint64_t){5});
    EXPECT(CF_OK, cf_future_result(futures[0], LONG_WAIT, NULL));
    futures[1] = submit_held(&s, 6);
    add_entry(&s, &e, futures[1], 0);
    EXPECT_HOST_OK(host_run(child_is_refused, futures));
    let_go(&s); /* and the parent's is called, once */
    expect_called(&s, 1);
    EXPECT_EQ(take(futures[0]), 25);
    EXPECT_EQ(take(futures[1]), 6);
    callback_scene_close(&s);
    expect_once_each(&e, 1);
}
