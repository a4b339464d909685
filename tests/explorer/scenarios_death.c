/* A worker dies at any of its steps; what it leaves is judged, and a successor goes on. */
#include "scenarios.h"

#include "cfutures/executor.h"

static cf_future *futures[2];

static void submit(unsigned retries) {
    const cf_submit_options options = {.retries = retries};
    for (unsigned n = 0; n < 2; n++) {
        CHECK(cf_executor_submit_with(executor, &number_task, &n, &options, &futures[n]) == CF_OK);
    }
}

/* ---- run again: whoever dies, it ends well --------------------------------------------------- */

static void take_results(void *context) {
    (void)context;
    pool_take_result(futures[0], 0);
    pool_take_result(futures[1], 1);
    cf_executor_destroy(executor);
}

static void submit_with_retries(void *context) {
    submit(1);
    take_results(context);
}

static void set_up_retried(void) {
    pool_begin_processes(1, plain, submit_with_retries);
}

static void set_up_two_workers(void) {
    pool_begin_processes(2, plain, take_results);
    submit(1);
}

/* A run that was not settled does not count, so there may be one more. */
static void check_ran_again(void) {
    CHECK(pool_runs(0) >= 1 && pool_runs(1) >= 1 && pool_runs(0) + pool_runs(1) <= 3);
    check_freed();
}

const scenario death_retried = {.name = "death_retried",
                                .set_up = set_up_retried,
                                .check = check_ran_again,
                                .bound = 1,
                                .deaths = true};
const scenario death_two_workers = {.name = "death_two_workers",
                                    .set_up = set_up_two_workers,
                                    .check = check_ran_again,
                                    .bound = 0,
                                    .deaths = true};

/* ---- only the claims of two workers, of which one dies --------------------------------------- */

enum {
    KILLED = 9 /* as wait(2) tells it */
};

static void claim_all(unsigned worker) {
    cfi_claim claim = {.worker = worker};
    uint64_t word;
    cfi_slot *slot;
    while ((slot = cfi_queue_claim(&executor->queue, &claim, &word)) != NULL) {
        CHECK(cfi_slot_settle(slot, worker, false, &word));
    }
}

static void claim_as_first(void *context) {
    (void)context;
    claim_all(0);
}

static void claim_as_second(void *context) {
    (void)context;
    claim_all(1);
}

static void judge_and_claim(void *context) {
    (void)context;
    if (sim_await_death() >= 0) {
        cfi_executor_worker_died(executor, 0, KILLED);
        claim_all(0);
    }
}

/* The cursor stands at the first task, where a rewind brings it back to. */
static void set_up_rewound(void) {
    pool_begin_bare(2, plain);
    submit(1);
    cfi_queue_advance(&executor->queue);
    sim_may_die(sim_thread("first", claim_as_first, NULL));
    sim_thread("second", claim_as_second, NULL);
    sim_thread("judge", judge_and_claim, NULL);
}

static void check_settled(void) {
    CHECK(cf_future_done(futures[0]) && cf_future_done(futures[1]));
}

const scenario death_rewound = {.name = "death_rewound",
                                .set_up = set_up_rewound,
                                .check = check_settled,
                                .bound = 3,
                                .deaths = true};

/* ---- not run again: lost, or it had ended ---------------------------------------------------- */

static unsigned lost;

static void see(unsigned n, int64_t timeout_ns) {
    uint64_t value = 0;
    cf_status status = cf_future_result(futures[n], timeout_ns, &value);
    CHECK(status == CF_EWORKER || (status == CF_OK && value == pool_result(n)));
    lost += status == CF_EWORKER;
    cf_future_release(futures[n]);
}

static void see_both(void *context) {
    (void)context;
    lost = 0;
    see(0, CF_FOREVER);
    see(1, CF_FOREVER);
    cf_executor_destroy(executor);
}

static void set_up_lost(void) {
    pool_begin_processes(1, plain, see_both);
    submit(0);
}

static void check_lost(void) {
    CHECK(lost <= 1);
    CHECK(pool_runs(0) <= 1 && pool_runs(1) <= 1 && pool_runs(0) + pool_runs(1) + lost >= 2);
    check_freed();
}

const scenario death_lost = {
    .name = "death_lost", .set_up = set_up_lost, .check = check_lost, .bound = 2, .deaths = true};

/* ---- what a worker has claimed is not lost when the first of it is cancelled ----------------- */

static void cancel_first(void *context) {
    (void)context;
    lost = 0;
    bool cancelled = cf_future_cancel(futures[0]);
    cf_status status = cf_future_result(futures[0], CF_FOREVER, NULL);
    CHECK(cancelled ? status == CF_ECANCELLED : status == CF_OK || status == CF_EWORKER);
    lost += status != CF_OK;
    cf_future_release(futures[0]);
    see(1, CF_FOREVER);
    cf_executor_destroy(executor);
}

static void set_up_cancelled(void) {
    pool_begin_processes(1, plain, cancel_first);
    submit(0);
}

static void check_cancelled(void) {
    CHECK(pool_runs(0) <= 1 && pool_runs(1) <= 1 && pool_runs(0) + pool_runs(1) + lost >= 2);
    check_freed();
}

const scenario death_cancelled = {.name = "death_cancelled",
                                  .set_up = set_up_cancelled,
                                  .check = check_cancelled,
                                  .bound = 2,
                                  .deaths = true};

/* ---- and whoever waits for one of many is told ----------------------------------------------- */

static void watch_both(void *context) {
    (void)context;
    lost = 0;
    cf_as_completed *as_completed = NULL;
    CHECK(cf_as_completed_create(futures, 2, &as_completed) == CF_OK);
    for (unsigned i = 0; i < 2; i++) {
        cf_future *future = NULL;
        size_t index = 0;
        CHECK(cf_as_completed_next(as_completed, CF_FOREVER, &future, &index) == CF_OK);
        see((unsigned)index, 0);
    }
    cf_as_completed_destroy(as_completed);
    cf_executor_destroy(executor);
}

static void set_up_watched(void) {
    pool_begin_processes(1, plain, watch_both);
    submit(0);
}

const scenario death_watched = {.name = "death_watched",
                                .set_up = set_up_watched,
                                .check = check_lost,
                                .bound = 1,
                                .deaths = true};

/* ---- no death, but one worker's initializer fails; the other's tasks end well ---------------- */

static int fail_second(void *context, unsigned worker, void **local) {
    (void)context;
    (void)local;
    return worker == 1 ? 7 : 0;
}

static void see_unfit(void *context) {
    (void)context;
    cf_stats stats;
    unsigned broken = 0;
    for (unsigned n = 0; n < 2; n++) {
        cf_exception exception;
        CHECK(cf_future_exception(futures[n], CF_FOREVER, &exception) == CF_OK);
        CHECK(exception.status == CF_OK || (exception.status == CF_EBROKEN &&
                                            exception.task_error == 7 && exception.worker == 1));
        CHECK((pool_runs(n) == 1) == (exception.status == CF_OK));
        broken += exception.status != CF_OK;
        cf_future_release(futures[n]);
    }
    CHECK(cf_executor_shutdown(executor, true, false) == CF_OK);
    pool_check_counts(&stats);
    CHECK(stats.failed == broken && stats.unseen == 0);
    cf_executor_destroy(executor);
}

static void set_up_unfit(void) {
    pool_begin(2, (cf_pool_options){.initializer = fail_second}, see_unfit);
    submit(0);
}

const scenario death_unfit = {
    .name = "death_unfit", .set_up = set_up_unfit, .check = check_freed, .bound = 2};
