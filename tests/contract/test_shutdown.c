/* Shutdown keeps its promises, waiting or not, cancelling or not, on an idle, busy, full or damaged executor,
 * from the main thread, a task, a callback or eight threads at once. */
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

/* Who shuts down. Its own tasks and callbacks cannot wait for themselves, and must not try to. */
typedef enum origin {
    MAIN,
    TASK,
    CALLBACK,
    THREADS
} origin;
static const char *const origin_names[] = {"main", "a task", "a callback", "eight threads"};

enum {
    WORKERS = 2,
    QUEUED = 200,
    TASKS = 2 + WORKERS + QUEUED,
    CLOSERS = 8,
    COUNTERS = 5
};

/* One call of shutdown. */
typedef struct closer {
    pthread_t thread;
    cf_executor *ex;
    counter *start;
    bool wait;
    bool cancel_pending;
    cf_status status;
    counter done;
} closer;

static void *shut_down_at_start(void *arg) {
    closer *c = arg;
    counter_wait(c->start, 1);
    c->status = cf_executor_shutdown(c->ex, c->wait, c->cancel_pending);
    counter_add(&c->done, 1);
    return NULL;
}

typedef struct scene {
    footprint before;
    counter *c; /* begun, gate, ran (blockers), ran (queued), start (of a shutdown) */
    cf_executor *ex;
    closer closer;             /* that of a task or a callback */
    cf_future *trigger;        /* of the callback */
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
    while (!row()->shares_memory && !row()->is_remote && s->worker_count < stats.workers) {
        cf_worker_stats worker;
        EXPECT(CF_OK, cf_executor_worker_stats(s->ex, (unsigned)s->worker_count, &worker));
        s->workers[s->worker_count++] = (pid_t)worker.id;
    }
}

/* A blocker that shuts down its own executor before it waits for the gate. */
static int run_closer(const void *arg, void *result, cf_task_context *ctx) {
    (void)result;
    (void)ctx;
    scene *s = *(scene *const *)arg;
    counter_add(&s->c[0], 1);
    shut_down_at_start(&s->closer);
    bool open = counter_wait(&s->c[1], 1);
    counter_add(&s->c[2], 1);
    return !open;
}

static const cf_task closer_task = {
    .name = "closer", .run = run_closer, .arg_size = sizeof(scene *)};

static void hold_workers(scene *s, load l, origin from) {
    blocker b = {.begun = &s->c[0], .gate = &s->c[1], .ran = &s->c[2]};
    unsigned blockers = l == IDLE ? 0 : workers_of(WORKERS);
    if (from == TASK && row()->runs_beside_caller) {
        scene_add(s, &closer_task, &s);
        blockers -= blockers > 0;
    }
    for (unsigned i = 0; i < blockers; i++) {
        scene_add(s, &blocker_task, &b);
    }
    cr_assert(counter_wait(&s->c[0], (uint32_t)s->count));
    s->running = s->count;
}

static void scene_open(scene *s, load l, origin from) {
    *s = (scene){.before = footprint_now(), .c = shared_alloc(COUNTERS * sizeof(counter))};
    s->ex = create(WORKERS);
    s->closer = (closer){.ex = s->ex, .start = &s->c[4]};
    if (from == CALLBACK) {
        s->trigger = submit(s->ex, &square_task, &(uint64_t){3});
        EXPECT(CF_OK, cf_future_result(s->trigger, LONG_WAIT, NULL));
    }
    if (l == CRASHED) {
        crash_a_worker(s);
    }
    if (!row()->runs_beside_caller) {
        counter_add(&s->c[1], 1); /* or the task would block submit */
    }
    hold_workers(s, l, from);
    note_workers(s);
    counter *ran = &s->c[3];
    for (size_t i = 0; (l == FULL || l == CRASHED) && i < QUEUED; i++) {
        scene_add(s, &add_task, &ran);
    }
}

static void scene_close(scene *s) {
    cf_executor_destroy(s->ex);
    for (size_t i = 0; i < s->count; i++) {
        cf_future_release(s->futures[i]);
    }
    cf_future_release(s->trigger);
    shared_free(s->c, COUNTERS * sizeof(counter));
    footprint_check(s->before);
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

/* ---- who shuts down -------------------------------------------------------------------------- */

static void close_in_callback(cf_future *future, void *context) {
    (void)future;
    shut_down_at_start(context);
}

/* The closer has been told how; whoever it is calls, and does not hang. */
static void let_it_close(scene *s, origin from) {
    counter_add(s->closer.start, 1);
    if (from == TASK && !row()->runs_beside_caller) {
        scene_add(s, &closer_task, &s);
        s->running++;
    } else if (from == CALLBACK) {
        EXPECT(CF_OK, cf_future_add_done_callback(s->trigger, close_in_callback, &s->closer));
    }
    cr_assert(counter_wait(&s->closer.done, 1), "it waits for itself");
    EXPECT(CF_OK, s->closer.status);
}

static void start_closers(closer *closers, const closer *like) {
    for (size_t i = 0; i < CLOSERS; i++) {
        closers[i] = *like;
        cr_assert_eq(pthread_create(&closers[i].thread, NULL, shut_down_at_start, &closers[i]), 0);
    }
}

static void join_closers(closer *closers) {
    for (size_t i = 0; i < CLOSERS; i++) {
        cr_assert_eq(pthread_join(closers[i].thread, NULL), 0);
        EXPECT(CF_OK, closers[i].status);
    }
}

static void call_shutdown(scene *s, origin from) {
    closer closers[CLOSERS];
    switch (from) {
    case MAIN:
        EXPECT(CF_OK, cf_executor_shutdown(s->ex, s->closer.wait, s->closer.cancel_pending));
        break;
    case TASK:
    case CALLBACK:
        let_it_close(s, from);
        break;
    case THREADS:
        start_closers(closers, &s->closer);
        counter_add(s->closer.start, 1);
        join_closers(closers);
        break;
    }
}

/* ---- every way ------------------------------------------------------------------------------- */

static void expect_over(const scene *s) {
    for (size_t i = 0; i < s->count; i++) {
        cr_assert(cf_future_state(s->futures[i]) >= CF_FINISHED, "task %zu not done", i);
    }
    for (size_t i = 0; i < s->worker_count; i++) {
        cr_assert_not(process_alive(s->workers[i]), "worker %zu is still there", i);
    }
}

static void shut_down(bool wait, bool cancel_pending, load l, origin from) {
    fprintf(stderr, "shutdown: %s, %s, %s, from %s\n", wait ? "wait" : "do not wait",
            cancel_pending ? "cancel pending" : "keep pending", load_names[l], origin_names[from]);
    scene s;
    scene_open(&s, l, from);
    s.closer.wait = wait;
    s.closer.cancel_pending = cancel_pending;
    pthread_t opener;
    cr_assert_eq(pthread_create(&opener, NULL, open_gate_after_shutdown, &s), 0);
    call_shutdown(&s, from);
    if (wait && (from == MAIN || from == THREADS)) {
        expect_over(&s);
    }
    cf_future *f = NULL;
    EXPECT(CF_ESHUTDOWN, cf_executor_submit(s.ex, &square_task, &(uint64_t){1}, &f));
    cr_assert(f == NULL);
    cr_assert_eq(pthread_join(opener, NULL), 0);
    expect_ends(&s, cancel_pending);
    EXPECT(CF_OK, cf_executor_shutdown(s.ex, true, false));
    expect_over(&s);
    scene_close(&s);
}

static void shut_down_every_way(load l) {
    for (origin from = MAIN; from <= THREADS; from++) {
        if (from == TASK && !row()->shares_memory) {
            continue; /* a task in another process is refused: from_inside_a_task */
        }
        for (int way = 0; way < 4; way++) {
            shut_down(way & 1, way & 2, l, from);
        }
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
    NOT_REMOTE(KNOWS_WORKERS);
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
    scene_open(&s, FULL, MAIN);
    EXPECT(CF_OK, cf_executor_shutdown(s.ex, false, false));
    EXPECT_EQ(cf_future_state(s.futures[s.running]), CF_PENDING);
    EXPECT(CF_OK, cf_executor_shutdown(s.ex, false, true));
    EXPECT_EQ(cf_future_state(s.futures[s.running]), CF_CANCELLED);
    EXPECT_EQ(cf_future_state(s.futures[0]), CF_RUNNING);
    counter_add(&s.c[1], 1);
    expect_ends(&s, true);
    scene_close(&s);
}

Test(shutdown, from_eight_threads_that_disagree) {
    enum {
        N = 1000
    };
    for (int round = 0; round < 10; round++) {
        counter start = {0};
        closer closers[CLOSERS];
        cf_future *futures[N];
        cf_executor *ex = create(2);
        for (uint64_t i = 0; i < N; i++) {
            futures[i] = submit(ex, &square_task, &i);
        }
        start_closers(closers, &(closer){.ex = ex, .start = &start, .wait = true});
        for (size_t i = 1; i < CLOSERS; i += 2) {
            closers[i].cancel_pending = true;
        }
        counter_add(&start, 1);
        join_closers(closers);
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
        SUBMITTERS = 4
    };
    counter *c = shared_alloc(2 * sizeof *c);
    for (int round = 0; round < 20; round++) {
        submitter submitters[SUBMITTERS];
        uint32_t accepted = 0;
        atomic_store(&c[0].value, 0);
        atomic_store(&c[1].value, 0);
        cf_executor *ex = create(2);
        for (int i = 0; i < SUBMITTERS; i++) {
            submitters[i] = (submitter){.ex = ex, .ran = &c[0], .going = &c[1]};
            cr_assert_eq(
                pthread_create(&submitters[i].thread, NULL, submit_until_refused, &submitters[i]),
                0);
        }
        cr_assert(counter_wait(&c[1], SUBMITTERS));
        EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
        for (int i = 0; i < SUBMITTERS; i++) {
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
    NOT_REMOTE(USES_EXECUTOR);
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
