/* {wait, not} x {cancel pending, not} x {idle, busy, full queue, crashed worker}, then destroy. */
#include "rows.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

TestSuite(shutdown, .timeout = TEST_SECONDS);

typedef enum load {
    IDLE,
    BUSY,
    FULL,
    CRASHED
} load;
static const char *const load_names[] = {"idle", "busy", "full queue", "crashed worker"};

enum {
    WORKERS = 2,
    QUEUED = 200,
    TASKS = 1 + WORKERS + QUEUED
};

typedef struct scene {
    counter *c; /* begun, gate, ran (blockers), ran (queued) */
    cf_executor *ex;
    cf_future *futures[TASKS]; /* what runs first, then what is queued behind it */
    size_t running;
    size_t count;
    size_t crashed;         /* how many of the first futures end with CF_EWORKER */
    pid_t workers[WORKERS]; /* where they are processes */
    size_t worker_count;
} scene;

static void scene_add(scene *s, const cf_task *task, const void *arg) {
    s->futures[s->count++] = submit(s->ex, task, arg);
}

/* Kills the worker of a task that would never end, and waits until the pool has noticed. */
static void crash_a_worker(scene *s) {
    blocker b = {.begun = &s->c[0], .gate = &s->c[1], .ran = &s->c[2]};
    scene_add(s, &blocker_task, &b);
    cr_assert(counter_wait(&s->c[0], 1));
    cf_worker_stats worker;
    cf_info info;
    EXPECT(CF_OK, cf_future_info(s->futures[0], &info));
    EXPECT(CF_OK, cf_executor_worker_stats(s->ex, (unsigned)info.worker, &worker));
    cr_assert(worker.id > 1);
    cr_assert_eq(kill((pid_t)worker.id, SIGKILL), 0);
    EXPECT(CF_EWORKER, cf_future_result(s->futures[0], LONG_WAIT, NULL));
    s->crashed = 1;
}

static void note_workers(scene *s) {
    cf_stats stats;
    EXPECT(CF_OK, cf_executor_stats(s->ex, &stats));
    while (!row()->shares_memory && s->worker_count < stats.workers) {
        cf_worker_stats worker;
        EXPECT(CF_OK, cf_executor_worker_stats(s->ex, (unsigned)s->worker_count, &worker));
        s->workers[s->worker_count++] = (pid_t)worker.id;
    }
}

static void scene_open(scene *s, load l) {
    *s = (scene){.c = shared_alloc(4 * sizeof(counter))};
    s->ex = create(WORKERS);
    if (l == IDLE) {
        return;
    }
    if (l == CRASHED) {
        crash_a_worker(s);
    }
    if (!row()->runs_beside_caller) {
        counter_add(&s->c[1], 1); /* or the task would block submit */
    }
    blocker b = {.begun = &s->c[0], .gate = &s->c[1], .ran = &s->c[2]};
    for (unsigned i = 0; i < workers_of(WORKERS); i++) {
        scene_add(s, &blocker_task, &b);
    }
    cr_assert(counter_wait(&s->c[0], (uint32_t)s->count));
    s->running = s->count;
    note_workers(s);
    counter *ran = &s->c[3];
    for (size_t i = 0; l != BUSY && i < QUEUED; i++) {
        scene_add(s, &add_task, &ran);
    }
}

/* Opens the gate when the executor has been shut down: a waiting shutdown needs help from outside.
 */
static void *open_gate_after_shutdown(void *arg) {
    scene *s = arg;
    while (cf_executor_submit(s->ex, &square_task, &(uint64_t){1}, NULL) != CF_ESHUTDOWN) {
        sched_yield();
    }
    counter_add(&s->c[1], 1);
    return NULL;
}

static void expect_ends(scene *s, bool cancel_pending) {
    uint32_t cancelled = 0;
    for (size_t i = 0; i < s->count; i++) {
        cf_status wanted = CF_OK;
        if (i < s->crashed) {
            wanted = CF_EWORKER;
        } else if (i >= s->running && cancel_pending && row()->cancels_pending) {
            wanted = CF_ECANCELLED; /* all workers were held up, so none of these had begun */
            cancelled++;
        }
        EXPECT(wanted, cf_future_result(s->futures[i], LONG_WAIT, NULL));
    }
    EXPECT_EQ(counter_get(&s->c[2]), s->running - s->crashed);
    EXPECT_EQ(counter_get(&s->c[3]), s->count - s->running - cancelled);
}

static void shut_down(bool wait, bool cancel_pending, load l) {
    fprintf(stderr, "shutdown: %s, %s, %s\n", wait ? "wait" : "do not wait",
            cancel_pending ? "cancel pending" : "keep pending", load_names[l]);
    footprint before = footprint_now();
    scene s;
    scene_open(&s, l);
    pthread_t opener;
    cr_assert_eq(pthread_create(&opener, NULL, open_gate_after_shutdown, &s), 0);
    EXPECT(CF_OK, cf_executor_shutdown(s.ex, wait, cancel_pending));
    if (wait) {
        for (size_t i = 0; i < s.count; i++) {
            cr_assert(cf_future_state(s.futures[i]) >= CF_FINISHED, "task %zu not done", i);
        }
        for (size_t i = 0; i < s.worker_count; i++) {
            cr_assert_not(process_alive(s.workers[i]), "worker %zu is still there", i);
        }
    }
    cf_future *f = NULL;
    EXPECT(CF_ESHUTDOWN, cf_executor_submit(s.ex, &square_task, &(uint64_t){1}, &f));
    cr_assert(f == NULL);
    cr_assert_eq(pthread_join(opener, NULL), 0);
    expect_ends(&s, cancel_pending);
    EXPECT(CF_OK, cf_executor_shutdown(s.ex, true, false));
    cf_executor_destroy(s.ex);
    for (size_t i = 0; i < s.count; i++) {
        cf_future_release(s.futures[i]);
    }
    shared_free(s.c, 4 * sizeof(counter));
    footprint_check(before);
}

static void shut_down_every_way(load l) {
    for (int way = 0; way < 4; way++) {
        shut_down(way & 1, way & 2, l);
    }
}

Test(shutdown, idle) {
    shut_down_every_way(IDLE);
}

Test(shutdown, busy) {
    shut_down_every_way(BUSY);
}

Test(shutdown, full_queue) {
    shut_down_every_way(FULL);
}

Test(shutdown, crashed_worker) {
    NEEDS(survives_worker_death);
    shut_down_every_way(CRASHED);
}

Test(shutdown, destroy_alone_runs_what_is_pending) {
    enum {
        N = 2000
    };
    footprint before = footprint_now();
    counter *c = shared_alloc(sizeof *c);
    cf_executor *ex = create(2);
    for (size_t i = 0; i < N; i++) {
        EXPECT(CF_OK, cf_executor_submit(ex, &add_task, &c, NULL));
    }
    cf_executor_destroy(ex);
    EXPECT_EQ(counter_get(c), N);
    shared_free(c, sizeof *c);
    footprint_check(before);
}

Test(shutdown, pending_can_be_cancelled_by_a_second_one) {
    NEEDS(cancels_pending);
    scene s;
    scene_open(&s, FULL);
    EXPECT(CF_OK, cf_executor_shutdown(s.ex, false, false));
    EXPECT_EQ(cf_future_state(s.futures[s.running]), CF_PENDING);
    EXPECT(CF_OK, cf_executor_shutdown(s.ex, false, true));
    EXPECT_EQ(cf_future_state(s.futures[s.running]), CF_CANCELLED);
    EXPECT_EQ(cf_future_state(s.futures[0]), CF_RUNNING);
    counter_add(&s.c[1], 1);
    expect_ends(&s, true);
    cf_executor_destroy(s.ex);
    for (size_t i = 0; i < s.count; i++) {
        cf_future_release(s.futures[i]);
    }
    shared_free(s.c, 4 * sizeof(counter));
}

typedef struct closer {
    pthread_t thread;
    cf_executor *ex;
    counter *start;
    bool cancel_pending;
    cf_status status;
} closer;

static void *shut_down_with_others(void *arg) {
    closer *c = arg;
    counter_wait(c->start, 1);
    c->status = cf_executor_shutdown(c->ex, true, c->cancel_pending);
    return NULL;
}

Test(shutdown, from_eight_threads) {
    enum {
        THREADS = 8,
        N = 1000
    };
    for (int round = 0; round < 10; round++) {
        counter start = {0};
        closer closers[THREADS];
        cf_future *futures[N];
        cf_executor *ex = create(2);
        for (uint64_t i = 0; i < N; i++) {
            futures[i] = submit(ex, &square_task, &i);
        }
        for (int i = 0; i < THREADS; i++) {
            closers[i] = (closer){.ex = ex, .start = &start, .cancel_pending = i % 2};
            cr_assert_eq(
                pthread_create(&closers[i].thread, NULL, shut_down_with_others, &closers[i]), 0);
        }
        counter_add(&start, 1);
        for (int i = 0; i < THREADS; i++) {
            cr_assert_eq(pthread_join(closers[i].thread, NULL), 0);
            EXPECT(CF_OK, closers[i].status);
        }
        for (uint64_t i = 0; i < N; i++) { /* each has one end, and it is there */
            uint64_t value = 0;
            cf_status status = cf_future_result(futures[i], 0, &value);
            cr_assert(status == CF_ECANCELLED || (status == CF_OK && value == i * i));
            cf_future_release(futures[i]);
        }
        cf_executor_destroy(ex);
    }
}

/* Submitters and a shutdown at once: what was accepted is run, what was refused is not. */
typedef struct submitter {
    pthread_t thread;
    cf_executor *ex;
    counter *ran;
    counter *going;
    uint32_t accepted;
    bool refused_well;
} submitter;

static void *submit_until_refused(void *arg) {
    submitter *s = arg;
    cf_status status;
    while ((status = cf_executor_submit(s->ex, &add_task, &s->ran, NULL)) == CF_OK) {
        if (++s->accepted == 100) {
            counter_add(s->going, 1);
        }
        sched_yield(); /* to the thread that shuts down, lest the queue grow for ever */
    }
    s->refused_well = status == CF_ESHUTDOWN;
    return NULL;
}

Test(shutdown, while_others_submit) {
    enum {
        THREADS = 4
    };
    counter *c = shared_alloc(2 * sizeof *c);
    for (int round = 0; round < 20; round++) {
        submitter submitters[THREADS];
        uint32_t accepted = 0;
        atomic_store(&c[0].value, 0);
        atomic_store(&c[1].value, 0);
        cf_executor *ex = create(2);
        for (int i = 0; i < THREADS; i++) {
            submitters[i] = (submitter){.ex = ex, .ran = &c[0], .going = &c[1]};
            cr_assert_eq(
                pthread_create(&submitters[i].thread, NULL, submit_until_refused, &submitters[i]),
                0);
        }
        cr_assert(counter_wait(&c[1], THREADS));
        EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
        for (int i = 0; i < THREADS; i++) {
            cr_assert_eq(pthread_join(submitters[i].thread, NULL), 0);
            cr_assert(submitters[i].refused_well);
            accepted += submitters[i].accepted;
        }
        EXPECT_EQ(counter_get(&c[0]), accepted);
        cf_executor_destroy(ex);
    }
    shared_free(c, 2 * sizeof *c);
}

/* A task that uses the executor that runs it. */
typedef struct inside {
    cf_executor *ex;
    counter *ran;
} inside;

typedef struct inside_result {
    cf_status submit;
    cf_status shutdown;
    cf_status submit_after;
} inside_result;

static int run_inside(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    const inside *in = arg;
    inside_result *r = result;
    r->submit = cf_executor_submit(in->ex, &add_task, &in->ran, NULL);
    r->shutdown = cf_executor_shutdown(in->ex, false, false);
    r->submit_after = cf_executor_submit(in->ex, &add_task, &in->ran, NULL);
    return 0;
}

Test(shutdown, from_inside_a_task) {
    static const cf_task task = {
        .run = run_inside, .arg_size = sizeof(inside), .result_size = sizeof(inside_result)};
    counter *c = shared_alloc(sizeof *c);
    inside in = {.ex = create(2), .ran = c};
    inside_result r;
    bool here = row()->shares_memory;
    cf_future *f = submit(in.ex, &task, &in);
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, &r));
    EXPECT(here ? CF_OK : CF_EFORKED, r.submit);
    EXPECT(here ? CF_OK : CF_EFORKED, r.shutdown);
    EXPECT(here ? CF_ESHUTDOWN : CF_EFORKED, r.submit_after);
    cf_future_release(f);
    cf_executor_destroy(in.ex);
    EXPECT_EQ(counter_get(c), here);
    shared_free(c, sizeof *c);
}
