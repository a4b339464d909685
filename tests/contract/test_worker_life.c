/* A worker's life: initializer, tasks, finalizer; lives that fail to begin, and lives of bounded
 * length; what the worker is called. */
#include "rows.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

TestSuite(worker_life, .timeout = TEST_SECONDS);

typedef enum manner {
    WELL,
    RETURNS_ERROR, /* number */
    IS_KILLED,     /* by signal `number` */
    EXITS,         /* with status `number` */
    HANGS,         /* until the gate is open */
} manner;

/* What is planned for the lives of an executor, and what has become of them. In shared memory: it
 * is the context of initializer and finalizer. */
typedef struct chronicle {
    manner how; /* begins the life of `worker`, or of anybody's life number `from` on */
    int number;
    unsigned worker;
    uint32_t from;
    counter gate;
    counter begun; /* initializers called */
    counter ended; /* finalizers called */
    counter odd;   /* of these with an argument that does not fit */
    counter tasks; /* as the finalizers count them */
} chronicle;

#define NOBODY UINT32_MAX

static chronicle *chronicle_new(manner how, int number, unsigned worker) {
    chronicle *c = shared_alloc(sizeof *c);
    c->how = how;
    c->number = number;
    c->worker = worker;
    c->from = UINT32_MAX;
    return c;
}

static void chronicle_free(chronicle *c) {
    EXPECT_EQ(counter_get(&c->odd), 0);
    shared_free(c, sizeof *c);
}

/* One life, as its worker knows it. */
typedef struct life {
    chronicle *chronicle;
    unsigned worker;
    pid_t thread;
    uint32_t tasks;
} life;

static pid_t thread_id(void) {
    return (pid_t)syscall(SYS_gettid);
}

static int misbehave(chronicle *c) {
    switch (c->how) {
    case RETURNS_ERROR:
        return c->number;
    case IS_KILLED:
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        raise(c->number);
        break;
    case EXITS:
        _exit(c->number);
    case HANGS:
        return counter_wait(&c->gate, 1) ? 0 : ETIMEDOUT;
    case WELL:
        break;
    }
    return 0;
}

static int begin_life(void *context, unsigned worker, void **local) {
    chronicle *c = context;
    const bool fits = local && *local == NULL;
    counter_add(&c->odd, !fits);
    counter_add(&c->begun, 1);
    if (worker == c->worker || counter_get(&c->begun) >= c->from) {
        int error = misbehave(c);
        if (error != 0) {
            return error;
        }
    }
    life *l = malloc(sizeof *l);
    *l = (life){.chronicle = c, .worker = worker, .thread = thread_id()};
    *local = l;
    return 0;
}

static void end_life(void *context, unsigned worker, void *local) {
    chronicle *c = context;
    life *l = local;
    const bool same_thread = l && (l->thread == thread_id() || !row()->runs_beside_caller);
    counter_add(&c->odd, !l || l->chronicle != c || l->worker != worker || !same_thread);
    counter_add(&c->tasks, l ? l->tasks : 0);
    counter_add(&c->ended, 1);
    free(l);
}

/* How many tasks this life has run; fails if it is not this worker's. */
static int run_live(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg;
    life *l = cf_task_local(ctx);
    if (!l || l->worker != cf_task_worker(ctx) || l->thread != thread_id()) {
        return EFAULT;
    }
    *(uint64_t *)result = ++l->tasks;
    return 0;
}

static const cf_task live_task = {.name = "live", .run = run_live, .result_size = sizeof(uint64_t)};

static cf_executor *create_living(chronicle *c, unsigned workers, unsigned max_tasks) {
    return create_with((cf_pool_options){.max_workers = workers_of(workers),
                                         .max_tasks_per_worker = max_tasks,
                                         .initializer = begin_life,
                                         .finalizer = end_life,
                                         .context = c});
}

static cf_stats stats_of(cf_executor *ex) {
    cf_stats stats;
    EXPECT(CF_OK, cf_executor_stats(ex, &stats));
    return stats;
}

/* ---- pairs ----------------------------------------------------------------------------------- */

Test(worker_life, begins_and_ends_once) {
    static const unsigned workers[] = {1, 3, 8};
    for (size_t i = 0; i < COUNT_OF(workers); i++) {
        const unsigned n = workers_of(workers[i]);
        chronicle *c = chronicle_new(WELL, 0, NOBODY);
        cf_executor *ex = create_living(c, n, 0);
        EXPECT_EQ(counter_get(&c->begun), 0); /* no worker before there is a task */
        for (uint64_t k = 0; k < 100; k++) {
            EXPECT_EQ(take(submit(ex, &live_task, NULL)) > 0, true);
        }
        cr_assert(counter_wait(&c->begun, n));
        EXPECT_EQ(counter_get(&c->ended), 0);
        EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
        EXPECT_EQ(counter_get(&c->begun), n);
        EXPECT_EQ(counter_get(&c->ended), n);
        EXPECT_EQ(counter_get(&c->tasks), 100);
        cf_executor_destroy(ex);
        EXPECT_EQ(counter_get(&c->ended), n);
        chronicle_free(c);
    }
}

Test(worker_life, without_a_task_is_none) {
    chronicle *c = chronicle_new(WELL, 0, NOBODY);
    cf_executor_destroy(create_living(c, 3, 0));
    EXPECT_EQ(counter_get(&c->begun), 0);
    EXPECT_EQ(counter_get(&c->ended), 0);
    chronicle_free(c);
}

/* Threads and processes that come to life at the same moment, again and again. */
Test(worker_life, of_many_begins_at_once) {
    const unsigned n = workers_of(8);
    for (int round = 0; round < 20; round++) {
        chronicle *c = chronicle_new(WELL, 0, NOBODY);
        counter *shared = shared_alloc(3 * sizeof *shared);
        cf_executor *ex = create_living(c, n, 0);
        cf_future *futures[8];
        blocker b = {.begun = &shared[0], .gate = &shared[1], .ran = &shared[2], .value = 1};
        counter_add(&shared[1], row()->runs_beside_caller ? 0 : 1);
        for (unsigned i = 0; i < n; i++) {
            futures[i] = submit(ex, &blocker_task, &b);
        }
        cr_assert(counter_wait(&shared[0], n)); /* each on a worker of its own */
        EXPECT_EQ(counter_get(&c->begun), n);
        counter_add(&shared[1], 1);
        for (unsigned i = 0; i < n; i++) {
            EXPECT_EQ(take(futures[i]), 1);
        }
        cf_executor_destroy(ex);
        EXPECT_EQ(counter_get(&c->ended), n);
        shared_free(shared, 3 * sizeof *shared);
        chronicle_free(c);
    }
}

static int run_local(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg;
    *(uint64_t *)result = (uint64_t)(uintptr_t)cf_task_local(ctx);
    return 0;
}

static void end_without_local(void *context, unsigned worker, void *local) {
    counter *c = context;
    counter_add(&c[0], 1);
    counter_add(&c[1], worker != 0 || local != NULL);
}

Test(worker_life, may_have_an_end_only) {
    static const cf_task task = {.run = run_local, .result_size = sizeof(uint64_t)};
    counter *c = shared_alloc(2 * sizeof *c);
    cf_executor *ex = create_with(
        (cf_pool_options){.max_workers = 1, .finalizer = end_without_local, .context = c});
    EXPECT_EQ(take(submit(ex, &task, NULL)), 0);
    cf_executor_destroy(ex);
    EXPECT_EQ(counter_get(&c[0]), 1);
    EXPECT_EQ(counter_get(&c[1]), 0);
    shared_free(c, 2 * sizeof *c);
}

static int begin_with_a_number(void *context, unsigned worker, void **local) {
    *local = (void *)((uintptr_t)context + worker);
    return 0;
}

Test(worker_life, may_have_a_beginning_only) {
    static const cf_task task = {.run = run_local, .result_size = sizeof(uint64_t)};
    cf_executor *ex = create_with((cf_pool_options){
        .max_workers = 1, .initializer = begin_with_a_number, .context = (void *)(uintptr_t)77});
    EXPECT_EQ(take(submit(ex, &task, NULL)), 77);
    cf_executor_destroy(ex);
}

Test(worker_life, knows_nothing_of_another_executors) {
    chronicle *c = chronicle_new(WELL, 0, NOBODY);
    static const cf_task task = {.run = run_local, .result_size = sizeof(uint64_t)};
    cf_executor *living = create_living(c, 2, 0), *plain = create(2);
    for (int i = 0; i < 50; i++) {
        cf_future *a = submit(living, &live_task, NULL), *b = submit(plain, &task, NULL);
        cr_assert(take(a) > 0);
        EXPECT_EQ(take(b), 0);
    }
    cf_executor_destroy(living);
    cf_executor_destroy(plain);
    EXPECT_EQ(counter_get(&c->tasks), 50);
    chronicle_free(c);
}

/* ---- lives that do not begin ----------------------------------------------------------------- */

static void expect_broken(cf_future *f, const chronicle *c, const char *text) {
    cf_exception why;
    char described[200];
    EXPECT(CF_EBROKEN, cf_future_result(f, LONG_WAIT, NULL));
    EXPECT(CF_OK, cf_future_exception(f, 0, &why));
    EXPECT_EQ(why.status, CF_EBROKEN);
    EXPECT_EQ(why.task_error, c->how == RETURNS_ERROR ? c->number : 0);
    EXPECT_EQ(why.signal, c->how == IS_KILLED ? c->number : 0);
    if (c->how != RETURNS_ERROR) { /* then it is a thread's, or how a process ends */
        EXPECT_EQ(why.exit_code, c->how == EXITS ? c->number : 0);
    }
    EXPECT_EQ(why.worker, c->worker);
    cf_exception_describe(&why, described, sizeof described);
    cr_assert(strstr(described, text), "\"%s\" lacks \"%s\"", described, text);
    cf_future_release(f);
}

static void expect_refusal(cf_executor *ex) {
    cf_future *f = NULL;
    uint64_t args[3] = {0}, results[3];
    EXPECT(CF_EBROKEN, cf_executor_submit(ex, &square_task, args, &f));
    cr_assert(f == NULL);
    EXPECT(CF_EBROKEN, cf_executor_submit(ex, &square_task, args, NULL));
    EXPECT(CF_EBROKEN, cf_executor_map(ex, &square_task, args, 3, results, NULL));
}

/* The first worker's; what is submitted before that is known ends the same way. */
static void first_fails(manner how, int number, const char *text) {
    footprint before = footprint_now();
    const unsigned n = workers_of(4);
    chronicle *c = chronicle_new(how, number, 0);
    c->from = 1;
    cf_executor *ex = create_living(c, n, 0);
    cf_future *first = submit(ex, &live_task, NULL), *others[20];
    size_t accepted = 0;
    while (accepted < COUNT_OF(others) &&
           cf_executor_submit(ex, &live_task, NULL, &others[accepted]) == CF_OK) {
        accepted++;
    }
    for (size_t i = 0; i < accepted; i++) {
        EXPECT(CF_EBROKEN, cf_future_result(others[i], LONG_WAIT, NULL));
        cf_future_release(others[i]);
    }
    if (n > 1) { /* whichever was the first to fail */
        cf_exception why;
        EXPECT(CF_OK, cf_future_exception(first, LONG_WAIT, &why));
        cr_assert(why.worker >= 0 && why.worker < (int)n);
        c->worker = (unsigned)why.worker;
    }
    expect_broken(first, c, text);
    expect_refusal(ex);
    EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
    cf_stats s = stats_of(ex);
    EXPECT_EQ(s.failed, accepted + 1);
    EXPECT_EQ(s.finished, accepted + 1);
    EXPECT_EQ(s.pending + s.running + s.restarts, 0);
    expect_refusal(ex);
    cf_executor_destroy(ex);
    cr_assert(counter_get(&c->begun) >= 1 && counter_get(&c->begun) <= n, "%u lives of %u workers",
              counter_get(&c->begun), n);
    EXPECT_EQ(counter_get(&c->ended), 0);
    chronicle_free(c);
    footprint_check(before);
}

Test(worker_life, that_fails_breaks_the_executor) {
    first_fails(RETURNS_ERROR, EACCES, "initializer of worker ");
    first_fails(RETURNS_ERROR, EACCES, "error: Permission denied");
    first_fails(RETURNS_ERROR, -7, "error: -7");
}

Test(worker_life, that_dies_at_once_breaks_the_executor) {
    NEEDS(survives_worker_death);
    first_fails(IS_KILLED, SIGKILL, "killed by signal 9 (SIGKILL)");
    first_fails(IS_KILLED, SIGSEGV, "killed by signal 11 (SIGSEGV)");
    first_fails(EXITS, 3, "exited with status 3");
    first_fails(EXITS, 0, "exited with status 0");
}

/* The third worker's, while the first two are at work. */
static void third_fails(manner how, int number, const char *text) {
    enum {
        PENDING = 10
    };
    footprint before = footprint_now();
    chronicle *c = chronicle_new(how, number, 2);
    counter *shared = shared_alloc(3 * sizeof *shared);
    cf_executor *ex = create_living(c, 3, 0);
    blocker b = {.begun = &shared[0], .gate = &shared[1], .ran = &shared[2], .value = 5};
    cf_future *held[2] = {submit(ex, &blocker_task, &b), submit(ex, &blocker_task, &b)};
    cr_assert(counter_wait(&shared[0], 2));
    cf_future *pending[PENDING];
    size_t accepted = 0;
    while (accepted < PENDING &&
           cf_executor_submit(ex, &live_task, NULL, &pending[accepted]) == CF_OK) {
        accepted++;
    }
    cr_assert(accepted >= 1);
    for (size_t i = 0; i < accepted; i++) {
        expect_broken(pending[i], c, text);
    }
    expect_refusal(ex);
    EXPECT_EQ(cf_future_state(held[0]), CF_RUNNING);
    EXPECT_EQ(cf_future_state(held[1]), CF_RUNNING);
    counter_add(&shared[1], 1);
    EXPECT_EQ(take(held[0]), 5);
    EXPECT_EQ(take(held[1]), 5);
    cf_executor_destroy(ex);
    EXPECT_EQ(counter_get(&c->begun), 3);
    EXPECT_EQ(counter_get(&c->ended), 2);
    shared_free(shared, 3 * sizeof *shared);
    chronicle_free(c);
    footprint_check(before);
}

Test(worker_life, of_the_third_that_fails_lets_the_others_finish) {
    NEEDS(runs_beside_caller);
    third_fails(RETURNS_ERROR, ENOENT, "initializer of worker 2: error: No such file or directory");
}

Test(worker_life, of_the_third_that_dies_lets_the_others_finish) {
    NEEDS(survives_worker_death);
    third_fails(IS_KILLED, SIGABRT, "initializer of worker 2: killed by signal 6 (SIGABRT)");
    third_fails(EXITS, 3, "initializer of worker 2: exited with status 3");
}

/* A successor's, after two good lives of one task each. */
Test(worker_life, of_a_successor_that_fails_breaks_the_executor) {
    chronicle *c = chronicle_new(RETURNS_ERROR, EIO, NOBODY);
    c->from = 3;
    cf_executor *ex = create_living(c, 1, 1);
    cf_future *futures[10];
    size_t accepted = 0;
    while (accepted < COUNT_OF(futures) &&
           cf_executor_submit(ex, &live_task, NULL, &futures[accepted]) == CF_OK) {
        accepted++;
    }
    cr_assert(accepted >= 3);
    EXPECT(CF_OK, cf_wait(futures, accepted, CF_ALL_COMPLETED, LONG_WAIT, NULL));
    c->worker = 0; /* now that no other life begins */
    for (size_t i = 0; i < accepted; i++) {
        if (i < 2) {
            EXPECT_EQ(take(futures[i]), 1);
        } else {
            expect_broken(futures[i], c, "initializer of worker 0: error: Input/output error");
        }
    }
    expect_refusal(ex);
    cf_executor_destroy(ex);
    EXPECT_EQ(counter_get(&c->begun), 3);
    EXPECT_EQ(counter_get(&c->ended), 2);
    chronicle_free(c);
}

Test(worker_life, that_hangs_keeps_tasks_pending) {
    NEEDS(runs_beside_caller);
    enum {
        N = 5
    };
    chronicle *c = chronicle_new(HANGS, 0, NOBODY);
    c->from = 1;
    cf_executor *ex = create_living(c, 2, 0);
    cf_future *futures[N];
    for (size_t i = 0; i < N; i++) {
        futures[i] = submit(ex, &live_task, NULL);
    }
    cr_assert(counter_wait(&c->begun, 2));
    EXPECT(CF_ETIMEDOUT, cf_wait(futures, N, CF_FIRST_COMPLETED, 20 * MILLISECOND, NULL));
    for (size_t i = 0; i < N; i++) {
        EXPECT_EQ(cf_future_state(futures[i]), CF_PENDING);
    }
    cr_assert(cf_future_cancel(futures[N - 1]));
    cf_future_release(futures[N - 1]);
    counter_add(&c->gate, 1);
    for (size_t i = 0; i < N - 1; i++) {
        cr_assert(take(futures[i]) > 0);
    }
    cf_executor_destroy(ex);
    EXPECT_EQ(counter_get(&c->begun), 2);
    EXPECT_EQ(counter_get(&c->ended), 2);
    chronicle_free(c);
}

Test(worker_life, that_hangs_can_be_killed) {
    NEEDS(survives_worker_death);
    footprint before = footprint_now();
    chronicle *c = chronicle_new(HANGS, 0, NOBODY);
    c->from = 1;
    cf_executor *ex = create_living(c, 2, 0);
    cf_future *futures[3];
    for (size_t i = 0; i < COUNT_OF(futures); i++) {
        futures[i] = submit(ex, &live_task, NULL);
    }
    cr_assert(counter_wait(&c->begun, 2));
    EXPECT(CF_OK, cf_executor_kill_workers(ex));
    for (size_t i = 0; i < COUNT_OF(futures); i++) {
        EXPECT(CF_ECANCELLED, cf_future_result(futures[i], LONG_WAIT, NULL));
        cf_future_release(futures[i]);
    }
    EXPECT(CF_ESHUTDOWN, cf_executor_submit(ex, &live_task, NULL, NULL));
    cf_executor_destroy(ex);
    EXPECT_EQ(counter_get(&c->begun), 2);
    EXPECT_EQ(counter_get(&c->ended), 0);
    chronicle_free(c);
    footprint_check(before);
}

/* ---- successors ------------------------------------------------------------------------------ */

Test(worker_life, of_a_killed_worker_begins_anew) {
    NEEDS(survives_worker_death);
    enum {
        KILLS = 5
    };
    chronicle *c = chronicle_new(WELL, 0, NOBODY);
    cf_executor *ex = create_living(c, 1, 0);
    for (uint32_t i = 0; i < KILLS; i++) {
        EXPECT_EQ(take(submit(ex, &live_task, NULL)), 1);
        EXPECT_EQ(take(submit(ex, &live_task, NULL)), 2);
        cf_worker_stats worker;
        EXPECT(CF_OK, cf_executor_worker_stats(ex, 0, &worker));
        cr_assert(worker.id > 1);
        cr_assert_eq(kill((pid_t)worker.id, SIGKILL), 0);
        cr_assert(counter_wait(&c->begun, i + 2)); /* the successor's own */
        EXPECT_EQ(counter_get(&c->ended), 0);      /* and a killed one has no end */
    }
    EXPECT_EQ(take(submit(ex, &live_task, NULL)), 1);
    EXPECT_EQ(stats_of(ex).restarts, KILLS);
    EXPECT_EQ(stats_of(ex).retired, 0);
    cf_executor_destroy(ex);
    EXPECT_EQ(counter_get(&c->begun), KILLS + 1);
    EXPECT_EQ(counter_get(&c->ended), 1);
    EXPECT_EQ(counter_get(&c->tasks), 1); /* of the last life alone */
    chronicle_free(c);
}

enum {
    TASKS = 200,
    WINDOW = 16
};

/* No process runs more tasks than it may; returns how many processes there were. */
static size_t check_processes(const pid_t *pids, unsigned max_tasks) {
    size_t processes = 0;
    for (size_t i = 0; i < TASKS; i++) {
        unsigned before = 0, after = 0;
        for (size_t k = 0; k < TASKS; k++) {
            before += k < i && pids[k] == pids[i];
            after += k > i && pids[k] == pids[i];
        }
        processes += before == 0;
        cr_assert(row()->shares_memory || before + after + 1 <= max_tasks,
                  "process %d ran %u tasks", pids[i], before + after + 1);
    }
    return processes;
}

/* Each worker was replaced as often as its tasks say; at the end no successor may be needed. */
static void check_retirements(cf_executor *ex, unsigned max_tasks) {
    cf_stats s = stats_of(ex);
    uint64_t tasks = 0, retired = 0;
    for (unsigned w = 0; w < s.workers; w++) {
        cf_worker_stats worker;
        EXPECT(CF_OK, cf_executor_worker_stats(ex, w, &worker));
        uint64_t due = worker.tasks / max_tasks;
        bool at_the_end = worker.tasks > 0 && worker.tasks % max_tasks == 0;
        cr_assert(worker.retired == due || (at_the_end && worker.retired == due - 1),
                  "worker %u: %u retirements after %llu tasks, each after %u", w, worker.retired,
                  (unsigned long long)worker.tasks, max_tasks);
        EXPECT_EQ(worker.restarts, 0);
        tasks += worker.tasks;
        retired += worker.retired;
    }
    EXPECT_EQ(tasks, TASKS);
    EXPECT_EQ(s.retired, retired);
    EXPECT_EQ(s.restarts, 0);
    EXPECT_EQ(s.finished, TASKS);
    EXPECT_EQ(s.failed, 0);
}

static void live_shortly(unsigned workers, unsigned max_tasks) {
    chronicle *c = chronicle_new(WELL, 0, NOBODY);
    cf_executor *ex = create_living(c, workers, max_tasks);
    cf_future *window[WINDOW];
    pid_t pids[TASKS];
    for (size_t i = 0; i < TASKS + WINDOW; i++) {
        if (i >= WINDOW) {
            whereabouts w;
            cf_future *f = window[i % WINDOW];
            EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, &w));
            cr_assert(w.worker < workers_of(workers));
            EXPECT_EQ(w.attempt, 1);
            pids[i - WINDOW] = w.pid;
            cf_future_release(f);
        }
        if (i < TASKS) {
            window[i % WINDOW] = submit(ex, &whereabouts_task, NULL);
        }
    }
    EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
    check_retirements(ex, max_tasks);
    cf_stats s = stats_of(ex);
    size_t processes = check_processes(pids, max_tasks);
    if (row()->shares_memory) {
        EXPECT_EQ(processes, 1);
    } else {
        cr_assert(processes >= TASKS / max_tasks, "%zu processes", processes);
    }
    if (row()->runs_beside_caller) {
        const uint64_t lives = s.workers + s.retired; /* some not needed any more at the end */
        cr_assert(counter_get(&c->begun) <= lives && counter_get(&c->begun) + workers >= lives,
                  "%u begun, %llu lives", counter_get(&c->begun), (unsigned long long)lives);
    } else { /* its next life begins with the next task */
        EXPECT_EQ(counter_get(&c->begun), (TASKS + max_tasks - 1) / max_tasks);
    }
    EXPECT_EQ(counter_get(&c->ended), counter_get(&c->begun));
    cf_executor_destroy(ex);
    chronicle_free(c);
}

Test(worker_life, is_as_long_as_it_may_be) {
    footprint before = footprint_now();
    for (unsigned max_tasks = 1; max_tasks <= 3; max_tasks++) {
        for (unsigned workers = 1; workers <= 4; workers *= 2) {
            live_shortly(workers, max_tasks);
        }
    }
    footprint_check(before);
}

/* The tasks of a life see its own local, and no more of them than it may have. */
Test(worker_life, of_three_tasks_counts_to_three) {
    chronicle *c = chronicle_new(WELL, 0, NOBODY);
    cf_executor *ex = create_living(c, 1, 3);
    for (uint64_t i = 0; i < 99; i++) {
        EXPECT_EQ(take(submit(ex, &live_task, NULL)), i % 3 + 1);
    }
    cf_executor_destroy(ex);
    EXPECT_EQ(counter_get(&c->tasks), 99);
    EXPECT_EQ(counter_get(&c->ended), counter_get(&c->begun));
    chronicle_free(c);
}

Test(worker_life, counts_a_chunk_as_one_task) {
    enum {
        N = 120
    };
    uint64_t args[N], results[N];
    cf_exception why[N];
    for (uint64_t i = 0; i < N; i++) {
        args[i] = i;
    }
    cf_executor *ex =
        create_with((cf_pool_options){.max_workers = workers_of(2), .max_tasks_per_worker = 1});
    cf_map_options options = {.chunk = 10, .exceptions = why};
    EXPECT(CF_OK, cf_executor_map(ex, &square_task, args, N, results, &options));
    for (uint64_t i = 0; i < N; i++) {
        EXPECT_EQ(results[i], i * i);
    }
    EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
    cf_stats s = stats_of(ex);
    EXPECT_EQ(s.submitted, N / 10);
    cr_assert(s.retired <= N / 10 && s.retired + 2 >= N / 10, "%llu",
              (unsigned long long)s.retired);
    cf_executor_destroy(ex);
}

/* ---- names ----------------------------------------------------------------------------------- */

typedef struct comm {
    char text[32];
} comm;

static comm comm_of(const char *path) {
    comm c = {""};
    FILE *f = fopen(path, "re");
    if (f) {
        if (!fgets(c.text, sizeof c.text, f)) {
            c.text[0] = '\0';
        }
        fclose(f);
    }
    c.text[strcspn(c.text, "\n")] = '\0';
    return c;
}

static int run_comm(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg;
    (void)ctx;
    *(comm *)result = comm_of("/proc/thread-self/comm");
    return 0;
}

static const cf_task comm_task = {.name = "comm", .run = run_comm, .result_size = sizeof(comm)};

static void expect_named(const char *name, const char *shown) {
    const comm own = comm_of("/proc/thread-self/comm");
    char copied[64];
    snprintf(copied, sizeof copied, "%s", name ? name : "");
    cf_executor *ex =
        create_with((cf_pool_options){.max_workers = 1, .name = name ? copied : NULL});
    memset(copied, 'x', sizeof copied - 1);
    comm inside;
    cf_future *f = submit(ex, &comm_task, NULL);
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, &inside));
    cf_future_release(f);
    const char *wanted = row()->runs_beside_caller ? shown : own.text; /* serial has no worker */
    cr_assert_str_eq(inside.text, wanted);
    cf_worker_stats worker;
    char path[64];
    EXPECT(CF_OK, cf_executor_worker_stats(ex, 0, &worker));
    snprintf(path, sizeof path,
             row()->shares_memory ? "/proc/self/task/%lld/comm" : "/proc/%lld/comm",
             (long long)worker.id);
    cr_assert_str_eq(comm_of(path).text, wanted);
    cr_assert_str_eq(comm_of("/proc/thread-self/comm").text, own.text);
    cf_executor_destroy(ex);
}

Test(worker_life, has_a_name) {
    expect_named(NULL, "cf-worker-0");
    expect_named("sorter", "sorter-0");
    expect_named("", "-0");
    expect_named("thirteen-long", "thirteen-long-0");
    expect_named("a-name-far-longer-than-fits", "a-name-far-long");
}

Test(worker_life, has_a_number_in_its_name) {
    NEEDS(runs_beside_caller);
    enum {
        WORKERS = 12
    };
    counter *c = shared_alloc(3 * sizeof *c);
    cf_executor *ex = create_with((cf_pool_options){.max_workers = WORKERS, .name = "w"});
    blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2]};
    cf_future *futures[WORKERS];
    for (size_t i = 0; i < WORKERS; i++) {
        futures[i] = submit(ex, &blocker_task, &b);
    }
    cr_assert(counter_wait(&c[0], WORKERS));
    for (unsigned i = 0; i < WORKERS; i++) {
        cf_worker_stats worker;
        char path[64], wanted[32];
        EXPECT(CF_OK, cf_executor_worker_stats(ex, i, &worker));
        snprintf(path, sizeof path, "/proc/%lld/comm", (long long)worker.id);
        snprintf(wanted, sizeof wanted, "w-%u", i);
        cr_assert_str_eq(comm_of(path).text, wanted);
    }
    counter_add(&c[1], 1);
    for (size_t i = 0; i < WORKERS; i++) {
        EXPECT(CF_OK, cf_future_result(futures[i], LONG_WAIT, NULL));
        cf_future_release(futures[i]);
    }
    cf_executor_destroy(ex);
    shared_free(c, 3 * sizeof *c);
}
