/* If a worker dies or is stopped at any moment, with hundreds of tasks pending, it costs at most the task
 * that it was running. */
#include "process.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

TestSuite(pending_death, .timeout = TEST_SECONDS);

enum {
    N = 400,
    WORKERS = 2
};

/* Of the tasks, in memory that the workers share. */
typedef struct ledger {
    counter ran;
    _Atomic uint32_t runs[N];
} ledger;

typedef struct entry {
    ledger *ledger;
    uint64_t index;
    int64_t takes_ns;
} entry;

static int run_enter(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    const entry *e = arg;
    atomic_fetch_add(&e->ledger->runs[e->index], 1);
    if (e->takes_ns > 0) {
        spin_for(e->takes_ns);
    }
    *(uint64_t *)result = e->index;
    counter_add(&e->ledger->ran, 1);
    return 0;
}

static const cf_task enter_task = {
    .name = "enter", .run = run_enter, .arg_size = sizeof(entry), .result_size = sizeof(uint64_t)};

static void submit_entries(cf_executor *pool, ledger *l, cf_future **futures, unsigned retries,
                           uint64_t *seed) {
    const int64_t takes_ns = (int64_t)(random_next(seed) % 3) * 10 * MICROSECOND;
    const bool at_once = random_next(seed) % 2;
    const cf_submit_options options = {.retries = retries};
    entry entries[N];
    memset(l, 0, sizeof *l);
    for (uint64_t i = 0; i < N; i++) {
        entries[i] = (entry){l, i, takes_ns};
        if (!at_once) {
            EXPECT(CF_OK,
                   cf_executor_submit_with(pool, &enter_task, &entries[i], &options, &futures[i]));
        }
    }
    if (at_once) {
        EXPECT(CF_OK,
               cf_executor_submit_many(pool, &enter_task, entries, N, &options, futures, NULL));
    }
}

/* When some have run, and a little later than that. */
static void any_moment(ledger *l, uint64_t *seed) {
    cr_assert(counter_wait(&l->ran, (uint32_t)(random_next(seed) % (N - 20))));
    spin_for((int64_t)(random_next(seed) % (uint64_t)(20 * MICROSECOND)));
}

static void expect_each_ran_once_but(ledger *l, cf_future **futures, size_t killed,
                                     unsigned retries) {
    size_t failed = 0, again = 0;
    for (size_t i = 0; i < N; i++) {
        uint64_t value = 0;
        const cf_status status = cf_future_result(futures[i], LONG_WAIT, &value);
        if (status == CF_EWORKER && retries == 0) {
            failed++;
            cr_assert(l->runs[i] <= 1);
        } else {
            EXPECT(CF_OK, status);
            EXPECT_EQ(value, i);
            cr_assert(l->runs[i] >= 1, "task %zu succeeded and never ran", i);
            again += l->runs[i] - 1;
        }
        cf_future_release(futures[i]);
    }
    cr_assert(failed <= killed, "%zu failed after %zu deaths", failed, killed);
    cr_assert(again <= (retries == 0 ? 0 : killed), "%zu ran again after %zu deaths", again,
              killed);
}

Test(pending_death, costs_what_was_running) {
    uint64_t seed = test_seed("pending_death/costs_what_was_running");
    ledger *l = shared_alloc(sizeof *l);
    cf_executor *pool = create_pool(WORKERS);
    uint64_t kills = 0;
    for (size_t round = scaled(100); round > 0; round--) {
        cf_future *futures[N];
        pid_t pids[WORKERS];
        const unsigned retries = random_next(&seed) % 2;
        submit_entries(pool, l, futures, retries, &seed);
        any_moment(l, &seed);
        const size_t workers = worker_pids(pool, pids, WORKERS);
        const size_t which = random_next(&seed) % WORKERS; /* now and then both of them */
        const bool both = random_next(&seed) % 4 == 0;
        size_t killed = 0;
        for (size_t w = 0; w < workers; w++) {
            killed += (both || w == which) && kill(pids[w], SIGKILL) == 0;
        }
        expect_each_ran_once_but(l, futures, killed, retries);
        kills += killed;
    }
    check_works(pool);
    const cf_stats s = stats_of(pool);
    EXPECT_EQ(s.pending + s.running, 0);
    cr_assert(s.restarts <= kills);
    cf_executor_destroy(pool);
    shared_free(l, sizeof *l);
}

/* It keeps the task that it is running, which no other may begin, and nothing else. */
static void all_but_one_finish(cf_executor *pool, ledger *l, cf_future **futures, pid_t stopped) {
    cf_as_completed *ac = NULL;
    cf_future *f;
    EXPECT(CF_OK, cf_as_completed_create(futures, N, &ac));
    for (size_t i = 0; i < N - 1; i++) {
        cf_status status = cf_as_completed_next(ac, 10 * SECOND, &f, NULL);
        if (status != CF_OK) {
            const cf_stats s = stats_of(pool);
            kill(stopped, SIGCONT);
            cr_assert_fail("%zu of %d done while one worker is stopped, %u pending, %u running", i,
                           N, (unsigned)s.pending, (unsigned)s.running);
        }
    }
    kill(stopped, SIGCONT);
    EXPECT(CF_OK, cf_as_completed_next(ac, LONG_WAIT, &f, NULL));
    cf_as_completed_destroy(ac);
    expect_each_ran_once_but(l, futures, 0, 0);
}

Test(pending_death, a_stopped_worker_keeps_what_it_runs) {
    uint64_t seed = test_seed("pending_death/a_stopped_worker_keeps_what_it_runs");
    ledger *l = shared_alloc(sizeof *l);
    cf_executor *pool = create_pool(WORKERS);
    check_works(pool);
    for (size_t round = scaled(100); round > 0; round--) {
        cf_future *futures[N];
        pid_t pids[WORKERS];
        submit_entries(pool, l, futures, 0, &seed);
        any_moment(l, &seed);
        const size_t workers = worker_pids(pool, pids, WORKERS);
        const pid_t stopped = pids[random_next(&seed) % workers];
        cr_assert_eq(kill(stopped, SIGSTOP), 0);
        all_but_one_finish(pool, l, futures, stopped);
    }
    EXPECT_EQ(stats_of(pool).restarts, 0);
    cf_executor_destroy(pool);
    shared_free(l, sizeof *l);
}

/* It may have been asleep, about to be, or on its way to the first of them: whoever submits wakes another
 * one. */
Test(pending_death, a_worker_stopped_before_there_is_work_keeps_none) {
    uint64_t seed = test_seed("pending_death/a_worker_stopped_before_there_is_work_keeps_none");
    ledger *l = shared_alloc(sizeof *l);
    cf_executor *pool = create_pool(WORKERS);
    check_works(pool);
    for (size_t round = scaled(300); round > 0; round--) {
        cf_future *futures[N];
        pid_t pids[WORKERS];
        const size_t workers = worker_pids(pool, pids, WORKERS);
        const pid_t stopped = pids[random_next(&seed) % workers];
        for (uint64_t warm = random_next(&seed) % 3; warm > 0; warm--) {
            cf_future *f = submit(pool, &square_task, &warm);
            EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, NULL));
            cf_future_release(f);
        }
        spin_for((int64_t)(random_next(&seed) % (uint64_t)(60 * MICROSECOND)));
        cr_assert_eq(kill(stopped, SIGSTOP), 0);
        submit_entries(pool, l, futures, 0, &seed);
        all_but_one_finish(pool, l, futures, stopped);
    }
    cf_executor_destroy(pool);
    shared_free(l, sizeof *l);
}
