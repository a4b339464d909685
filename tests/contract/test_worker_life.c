/* A worker's life begins with one call of the initializer and ends with one of the finalizer. After a death,
 * or after as many tasks as a life may have, a new life begins. */
#include "worker_life.h"

#include <signal.h>

TestSuite(worker_life, .timeout = TEST_SECONDS);

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

/* ---- successors ------------------------------------------------------------------------------ */

Test(worker_life, of_a_killed_worker_begins_anew) {
    NEEDS(survives_worker_death);
    NOT_REMOTE(KNOWS_WORKERS);
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
    NOT_REMOTE(KNOWS_WORKERS);
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
