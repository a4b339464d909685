/* A worker that dies costs at most its own task. The task tells how it ended, and the pool replaces the
 * worker. */
#include "process.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(worker_death, .timeout = TEST_SECONDS);

typedef struct way {
    int how; /* as in struct death */
    const char *text;
} way;

static const way ways[] = {
    {SIGKILL, "killed by signal 9 (SIGKILL)"},
    {SIGSEGV, "killed by signal 11 (SIGSEGV)"},
    {SIGTERM, "killed by signal 15 (SIGTERM)"},
    {SIGABRT, "killed by signal 6 (SIGABRT)"},
    {SIGBUS, "killed by signal 7 (SIGBUS)"},
    {SIGFPE, "killed by signal 8 (SIGFPE)"},
    {SIGPIPE, "killed by signal 13 (SIGPIPE)"},
    {SIGUSR1, "killed by signal 10 (SIGUSR1)"},
    {SIGALRM, "killed by signal 14 (SIGALRM)"},
    {0, "exited with status 0"},
    {-1, "exited with status 1"},
    {-3, "exited with status 3"},
    {-255, "exited with status 255"},
};

static void expect_death(cf_future *future, const way *w, unsigned attempts) {
    cf_exception why;
    cf_info info;
    char text[100];
    uint64_t untouched = 42;
    EXPECT(CF_EWORKER, cf_future_result(future, LONG_WAIT, &untouched));
    EXPECT_EQ(untouched, 42);
    EXPECT(CF_OK, cf_future_exception(future, 0, &why));
    EXPECT_EQ(why.status, CF_EWORKER);
    EXPECT_EQ(why.signal, w->how > 0 ? w->how : 0);
    EXPECT_EQ(why.exit_code, w->how > 0 ? 0 : -w->how);
    EXPECT_EQ(why.task_error, 0);
    cr_assert(why.worker >= 0);
    cr_assert_str_eq(cf_exception_describe(&why, text, sizeof text), w->text);
    EXPECT(CF_OK, cf_future_info(future, &info));
    EXPECT_EQ(info.attempts, attempts);
    EXPECT_EQ(info.state, CF_FINISHED);
    cf_future_release(future);
}

Test(worker_death, is_told_and_costs_one_task) {
    cf_executor *pool = create_pool(2);
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        death d = {.how = ways[i].how, .attempts = UINT32_MAX};
        cf_future *before = submit(pool, &square_task, &(uint64_t){11});
        cf_future *dies = submit(pool, &death_task, &d);
        check_works(pool);
        expect_death(dies, &ways[i], 1);
        EXPECT(CF_OK, cf_future_result(before, LONG_WAIT, NULL));
        cf_future_release(before);
        check_works(pool);
    }
    cf_stats s = stats_of(pool);
    EXPECT_EQ(s.failed, COUNT_OF(ways));
    EXPECT_EQ(s.retries, 0);
    EXPECT(CF_OK, cf_executor_shutdown(pool, true, false));
    cf_executor_destroy(pool);
}

Test(worker_death, is_made_good_by_a_retry) {
    cf_executor *pool = create_pool(2);
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        death d = {.how = ways[i].how, .attempts = 2, .value = 1000 + i};
        cf_future *f = submit_retried(pool, &death_task, &d, 2);
        uint64_t value = 0;
        cf_info info;
        EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, &value));
        EXPECT_EQ(value, 1000 + i);
        EXPECT(CF_OK, cf_future_info(f, &info));
        EXPECT_EQ(info.attempts, 3);
        cf_future_release(f);
    }
    cf_stats s = stats_of(pool);
    EXPECT_EQ(s.retries, 2 * COUNT_OF(ways));
    EXPECT_EQ(s.failed, 0);
    EXPECT_EQ(s.finished, COUNT_OF(ways));
    cf_executor_destroy(pool);
}

Test(worker_death, of_a_poison_task_ends_after_its_retries) {
    enum {
        GOOD = 1000,
        RETRIES = 3
    };
    cf_executor *pool = create_pool(2);
    cf_future *good[GOOD], *poison = NULL;
    death d = {.how = SIGSEGV, .attempts = UINT32_MAX};
    for (uint64_t i = 0; i < GOOD; i++) {
        good[i] = submit(pool, &square_task, &i);
        if (i == GOOD / 2) {
            poison = submit_retried(pool, &death_task, &d, RETRIES);
        }
    }
    expect_death(poison, &(way){SIGSEGV, "killed by signal 11 (SIGSEGV)"}, 1 + RETRIES);
    for (uint64_t i = 0; i < GOOD; i++) { /* without a retry of their own, and not one lost */
        uint64_t value = 0;
        EXPECT(CF_OK, cf_future_result(good[i], LONG_WAIT, &value));
        EXPECT_EQ(value, i * i);
        cf_future_release(good[i]);
    }
    cf_stats s = stats_of(pool);
    EXPECT_EQ(s.retries, RETRIES);
    EXPECT_EQ(s.failed, 1);
    check_works(pool);
    EXPECT(CF_OK, cf_executor_shutdown(pool, true, false));
    s = stats_of(pool);
    cr_assert(s.restarts >= RETRIES && s.restarts <= RETRIES + 1, "%llu restarts",
              (unsigned long long)s.restarts);
    cf_executor_destroy(pool);
}

Test(worker_death, restarts_are_counted_for_the_worker) {
    cf_executor *pool = create_pool(1);
    death d = {.how = SIGKILL, .attempts = 3, .value = 9};
    cf_future *f = submit_retried(pool, &death_task, &d, 3);
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, NULL));
    cf_future_release(f);
    cf_worker_stats worker;
    EXPECT(CF_OK, cf_executor_worker_stats(pool, 0, &worker));
    EXPECT_EQ(worker.restarts, 3);
    EXPECT_EQ(stats_of(pool).restarts, 3);
    EXPECT_EQ(stats_of(pool).workers, 1);
    cf_executor_destroy(pool);
}

/* All workers at once, each in the middle of a task. */
static void kill_all_workers(cf_executor *pool, counter *begun, size_t workers, unsigned retries) {
    enum {
        ROOM = 16
    };
    cf_future *futures[ROOM];
    atomic_store(&begun->value, 0);
    stuck s = {.begun = begun};
    for (size_t i = 0; i < workers; i++) {
        futures[i] = submit_retried(pool, &stuck_task, &s, retries);
    }
    for (unsigned attempt = 0; attempt <= retries; attempt++) {
        cr_assert(counter_wait(begun, (uint32_t)(workers * (attempt + 1))));
        pid_t killed[ROOM];
        EXPECT_EQ(worker_pids(pool, killed, ROOM), workers);
        for (size_t i = 0; i < workers; i++) {
            cr_assert_eq(kill(killed[i], SIGKILL), 0);
        }
    }
    for (size_t i = 0; i < workers; i++) {
        expect_death(futures[i], &(way){SIGKILL, "killed by signal 9 (SIGKILL)"}, retries + 1);
    }
}

Test(worker_death, of_all_at_once_again_and_again) {
    enum {
        WORKERS = 4,
        ROUNDS = 20
    };
    counter *begun = shared_alloc(sizeof *begun);
    cf_executor *pool = create_pool(WORKERS);
    for (int round = 0; round < ROUNDS; round++) {
        kill_all_workers(pool, begun, WORKERS, round % 3 == 0 ? 1 : 0);
        check_works(pool);
    }
    cf_executor_destroy(pool);
    shared_free(begun, sizeof *begun);
}

Test(worker_death, of_idle_workers_goes_unnoticed) {
    enum {
        WORKERS = 3
    };
    cf_executor *pool = create_pool(WORKERS);
    check_works(pool);
    for (int round = 0; round < 20; round++) {
        pid_t pids[WORKERS];
        size_t n = worker_pids(pool, pids, WORKERS);
        cr_assert(n >= 1);
        for (size_t i = 0; i < n; i++) {
            kill(pids[i], SIGKILL);
        }
        for (size_t i = 0; i < n; i++) {
            cr_assert(process_ends(pids[i], LONG_WAIT));
        }
        check_works(pool);
    }
    EXPECT_EQ(stats_of(pool).failed, 0);
    cf_executor_destroy(pool);
}

static int run_busy_square(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    uint64_t n = *(const uint64_t *)arg;
    spin_for(200 * MICROSECOND);
    *(uint64_t *)result = n * n;
    return 0;
}

static const cf_task busy_square_task = {.name = "busy square",
                                         .run = run_busy_square,
                                         .arg_size = sizeof(uint64_t),
                                         .result_size = sizeof(uint64_t)};

/* Kills a worker for every few tasks done: the tasks themselves set the pace. */
Test(worker_death, at_random_loses_and_doubles_nothing) {
    enum {
        WORKERS = 4,
        KILL_EVERY = 20
    };
    uint64_t seed = test_seed("worker_death/at_random_loses_and_doubles_nothing");
    const size_t n = scaled(2000);
    cf_future **futures = malloc(n * sizeof(cf_future *));
    unsigned char *seen = calloc(n, 1);
    cf_executor *pool = create_pool(WORKERS);
    for (uint64_t i = 0; i < n; i++) {
        futures[i] = submit_retried(pool, &busy_square_task, &i, CF_RETRIES_MAX);
    }
    cf_as_completed *ac = NULL;
    EXPECT(CF_OK, cf_as_completed_create(futures, n, &ac));
    uint64_t kills = 0;
    for (size_t done = 1; done <= n; done++) {
        cf_future *f;
        size_t index;
        uint64_t value = 0;
        EXPECT(CF_OK, cf_as_completed_next(ac, LONG_WAIT, &f, &index));
        cr_assert(index < n && seen[index]++ == 0, "task %zu came twice", index);
        EXPECT(CF_OK, cf_future_result(futures[index], 0, &value));
        EXPECT_EQ(value, index * index);
        if (done % KILL_EVERY == 0) {
            pid_t pids[WORKERS];
            size_t workers = worker_pids(pool, pids, WORKERS);
            cr_assert(workers > 0);
            kills += kill(pids[random_next(&seed) % workers], SIGKILL) == 0;
        }
    }
    EXPECT(CF_EEXHAUSTED, cf_as_completed_next(ac, 0, &(cf_future *){NULL}, NULL));
    cf_as_completed_destroy(ac);
    cr_assert(kills > 0);
    check_works(pool);
    EXPECT(CF_OK, cf_executor_shutdown(pool, true, false));
    cf_stats s = stats_of(pool);
    EXPECT_EQ(s.failed, 0);
    EXPECT_EQ(s.submitted, s.finished);
    cr_assert(s.restarts > 0 && s.restarts <= kills, "%llu restarts after %llu kills",
              (unsigned long long)s.restarts, (unsigned long long)kills);
    for (size_t i = 0; i < n; i++) {
        cf_future_release(futures[i]);
    }
    cf_executor_destroy(pool);
    free(seen);
    free(futures);
}

/* ---- inside a map ---------------------------------------------------------------------------- */

enum {
    ITEMS = 300
};

static void map_of_deaths(cf_executor *pool, size_t chunk, unsigned retries, unsigned deaths) {
    death args[ITEMS];
    uint64_t results[ITEMS];
    cf_exception why[ITEMS];
    bool survives = deaths <= retries;
    memset(results, 0xFF, sizeof results);
    for (size_t i = 0; i < ITEMS; i++) {
        bool dies = i % 100 == 42;
        args[i] = (death){.how = SIGKILL, .attempts = dies ? deaths : 0, .value = i + 1};
    }
    cf_map_options options = {.chunk = chunk, .retries = retries, .exceptions = why};
    EXPECT(survives ? CF_OK : CF_EWORKER,
           cf_executor_map(pool, &death_task, args, ITEMS, results, &options));
    for (size_t i = 0; i < ITEMS; i++) {
        bool lost = i % 100 == 42 && !survives;
        EXPECT_EQ(results[i], lost ? 0 : i + 1);
        EXPECT_EQ(why[i].status, lost ? CF_EWORKER : CF_OK);
        EXPECT_EQ(why[i].signal, lost ? SIGKILL : 0);
    }
}

Test(worker_death, inside_a_chunk_costs_one_item) {
    static const size_t chunks[] = {0, 1, 7, 100, ITEMS, 10 * ITEMS};
    cf_executor *pool = create_pool(2);
    for (size_t i = 0; i < COUNT_OF(chunks); i++) {
        map_of_deaths(pool, chunks[i], 0, UINT32_MAX);
        map_of_deaths(pool, chunks[i], 2, UINT32_MAX);
        map_of_deaths(pool, chunks[i], 2, 2);
    }
    check_works(pool);
    cf_executor_destroy(pool);
}

static int run_one_way_or_another(const void *arg, void *result, cf_task_context *ctx) {
    (void)result;
    (void)ctx;
    int how = *(const int *)arg;
    if (how < 0) {
        _exit(-how);
    }
    return how;
}

Test(worker_death, map_tells_the_first_failure_by_index) {
    static const cf_task task = {.run = run_one_way_or_another, .arg_size = sizeof(int)};
    cf_executor *pool = create_pool(2);
    int args[10] = {0};
    args[4] = -5;
    args[7] = 5;
    EXPECT(CF_EWORKER, cf_executor_map(pool, &task, args, 10, NULL, NULL));
    args[2] = 6;
    EXPECT(CF_ETASK, cf_executor_map(pool, &task, args, 10, NULL, NULL));
    cf_executor_destroy(pool);
}

Test(worker_death, of_every_item_of_a_map) {
    enum {
        N = 60
    };
    cf_executor *pool = create_pool(2);
    death args[N];
    uint64_t results[N];
    cf_exception why[N];
    for (size_t i = 0; i < N; i++) {
        args[i] = (death){.how = -(int)i, .attempts = UINT32_MAX};
    }
    cf_map_options options = {.chunk = N, .exceptions = why};
    EXPECT(CF_EWORKER, cf_executor_map(pool, &death_task, args, N, results, &options));
    for (size_t i = 0; i < N; i++) {
        EXPECT_EQ(why[i].status, CF_EWORKER);
        EXPECT_EQ(why[i].exit_code, i);
        EXPECT_EQ(results[i], 0);
    }
    check_works(pool);
    cf_executor_destroy(pool);
}

/* The killer and its victim are both tasks: neither the caller nor a pause is between them. */
static int run_kill_a_worker(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    const stuck *s = arg;
    if (!counter_wait(s->begun, 1)) {
        return 1;
    }
    *(uint64_t *)result = (uint64_t)kill(atomic_load(s->pid), SIGKILL);
    return 0;
}

Test(worker_death, by_the_hand_of_another_worker) {
    static const cf_task killer = {
        .run = run_kill_a_worker, .arg_size = sizeof(stuck), .result_size = sizeof(uint64_t)};
    counter *begun = shared_alloc(sizeof *begun);
    _Atomic pid_t *pid = shared_alloc(sizeof *pid);
    cf_executor *pool = create_pool(2);
    for (int round = 0; round < 30; round++) {
        atomic_store(&begun->value, 0);
        stuck s = {.begun = begun, .pid = pid};
        cf_future *victim = submit(pool, &stuck_task, &s);
        cf_future *murderer = submit(pool, &killer, &s);
        EXPECT(CF_OK, cf_future_result(murderer, LONG_WAIT, NULL));
        expect_death(victim, &(way){SIGKILL, "killed by signal 9 (SIGKILL)"}, 1);
        cf_future_release(murderer);
    }
    cf_executor_destroy(pool);
    shared_free(begun, sizeof *begun);
    shared_free((void *)pid, sizeof *pid);
}
