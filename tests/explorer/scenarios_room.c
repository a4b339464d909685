/* A bounded number of pending tasks: a submit that waits for room is told when there is some, no task
 * counts as begun too early, and no place is lost. */
#include "scenarios.h"

#include "cfutures/core/counts.h"
#include "cfutures/core/submission.h"

static const cf_pool_options one_pending = {.max_pending = 1};
static const cf_pool_options one_or_refused = {.max_pending = 1, .refuse_when_full = true};

static cf_future *before; /* task 2: pending when the run begins */
static unsigned other;    /* thread */

static void submit_before(unsigned retries) {
    const cf_submit_options options = {.retries = retries};
    unsigned n = 2;
    CHECK(cf_executor_submit_with(executor, &number_task, &n, &options, &before) == CF_OK);
}

static void check_three_ran(void) {
    CHECK(pool_runs(2) == 1);
    check_two_ran();
}

/* ---- two submitters, and room for one task --------------------------------------------------- */

static void submit_second(void *context) {
    (void)context;
    pool_take_result(pool_submit(&number_task, 1), 1);
}

static void submit_first(void *context) {
    (void)context;
    pool_take_result(pool_submit(&number_task, 0), 0);
    sim_join(other);
    cf_future_release(before);
    cf_executor_destroy(executor);
}

static void set_up_two_submitters(void) {
    pool_begin(1, one_pending, submit_first);
    submit_before(0);
    other = sim_thread("other", submit_second, NULL);
}

const scenario room_two_submitters = {.name = "room_two_submitters",
                                      .set_up = set_up_two_submitters,
                                      .check = check_three_ran,
                                      .bound = 1};

static void set_up_two_workers(void) {
    pool_begin(2, one_pending, submit_first);
    submit_before(0);
    other = sim_thread("other", submit_second, NULL);
}

const scenario room_two_workers = {
    .name = "room_two_workers", .set_up = set_up_two_workers, .check = check_three_ran, .bound = 0};

/* ---- no worker: room is made by cancelling alone ---------------------------------------------- */

static void submit_and_cancel(void *number) {
    cf_future *future = pool_submit(&number_task, (unsigned)(uintptr_t)number);
    CHECK(cf_future_cancel(future));
    cf_future_release(future);
}

static void cancel_before(void *context) {
    (void)context;
    CHECK(cf_future_cancel(before));
    cf_future_release(before);
}

static void set_up_cancelled(void) {
    pool_begin_bare(1, one_pending);
    submit_before(0);
    sim_thread("first", submit_and_cancel, (void *)0);
    sim_thread("second", submit_and_cancel, (void *)1);
    sim_thread("canceller", cancel_before, NULL);
}

static void check_none_pending(void) {
    plat_biased_lock_take(&executor->lock);
    CHECK(pool_pending() == 0 && cfi_counts_pending(executor) == 0);
    plat_biased_lock_give(&executor->lock);
}

const scenario room_cancelled = {
    .name = "room_cancelled", .set_up = set_up_cancelled, .check = check_none_pending, .bound = 3};

/* One thread reserves the place and gives it back; the other gets it. */
static void reserve_and_abandon(void *context) {
    (void)context;
    const cfi_submission submission = {.task = &number_task, .until_ns = -1};
    cf_future *future;
    CHECK(cfi_submission_reserve(executor, &submission, &future) == CF_OK);
    CHECK(pool_pending() == 0);
    cfi_submission_abandon(executor, future);
}

static void set_up_abandoned(void) {
    pool_begin_bare(1, one_pending);
    submit_before(0);
    sim_thread("first", reserve_and_abandon, NULL);
    sim_thread("second", submit_and_cancel, (void *)1);
    sim_thread("canceller", cancel_before, NULL);
}

const scenario room_abandoned = {
    .name = "room_abandoned", .set_up = set_up_abandoned, .check = check_none_pending, .bound = 3};

/* ---- no fewer tasks are counted as pending than are pending ----------------------------------- */

/* The explorer runs this thread between any two steps of the others. The counts that it reads are of
 * this moment or older, and no task becomes pending while it holds the lock. */
static void look_at_counts(void *context) {
    (void)context;
    plat_biased_lock_take(&executor->lock);
    uint64_t counted = cfi_counts_pending(executor);
    CHECK(counted >= pool_pending());
    plat_biased_lock_give(&executor->lock);
}

static void cancel_and_submit(void *context) {
    (void)context;
    bool cancelled = cf_future_cancel(before);
    cf_future_release(before);
    pool_take_result(pool_submit(&number_task, 0), 0);
    CHECK(pool_runs(2) == (cancelled ? 0 : 1));
    sim_join(other);
    cf_executor_destroy(executor);
}

static void set_up_counted(void) {
    pool_begin(1, one_pending, cancel_and_submit);
    submit_before(0);
    other = sim_thread("witness", look_at_counts, NULL);
}

const scenario room_counted = {
    .name = "room_counted", .set_up = set_up_counted, .check = check_one_ran, .bound = 2};

/* ---- a caller that has seen room being made finds it ------------------------------------------ */

static void submit_where_there_is_room(void *context) {
    (void)context;
    pool_take_result(before, 2);
    cf_future *future = pool_submit(&number_task, 0);
    if (cf_future_cancel(future)) {
        cf_future_release(future);
        future = pool_submit(&number_task, 0);
    }
    pool_take_result(future, 0);
    cf_executor_destroy(executor);
}

static void set_up_refused(void) {
    pool_begin(1, one_or_refused, submit_where_there_is_room);
    submit_before(0);
}

static void check_first_and_third_ran(void) {
    CHECK(pool_runs(2) == 1);
    check_one_ran();
}

const scenario room_seen = {
    .name = "room_seen", .set_up = set_up_refused, .check = check_first_and_third_ran, .bound = 3};

/* ---- a worker that dies has made room, or its successor will ---------------------------------- */

static void submit_beside_death(void *context) {
    (void)context;
    const cf_submit_options options = {.retries = 1};
    unsigned n = 0;
    cf_future *future;
    CHECK(cf_executor_submit_with(executor, &number_task, &n, &options, &future) == CF_OK);
    pool_take_result(future, 0);
    pool_take_result(before, 2);
    sim_join(other);
    cf_executor_destroy(executor);
}

static void set_up_death(void) {
    pool_begin_processes(1, one_pending, submit_beside_death);
    submit_before(1);
    other = sim_thread("witness", look_at_counts, NULL);
}

static void check_ran_again(void) {
    CHECK(pool_runs(0) >= 1 && pool_runs(2) >= 1 && pool_runs(0) + pool_runs(2) <= 3);
    check_freed();
}

const scenario room_death = {.name = "room_death",
                             .set_up = set_up_death,
                             .check = check_ran_again,
                             .bound = 1,
                             .deaths = true};

/* ---- a worker is stopped that has made room before, and has not rung yet ---------------------- */

static void ring_late(void *context) {
    (void)context;
    cfi_queue_room_made(&executor->queue);
}

static void submit_more(void *context) {
    (void)context;
    pool_submit(&number_task, 0);
}

static void set_up_stopped(void) {
    pool_begin_bare(2, one_pending);
    submit_before(0);
    pool_may_stop(sim_thread("worker 0", ring_late, NULL), 0);
    pool_worker(1, before);
    sim_thread("caller", submit_more, NULL);
}

static void check_before_ran(void) {
    CHECK(pool_runs(2) == 1);
}

const scenario room_stopped = {.name = "room_stopped",
                               .set_up = set_up_stopped,
                               .check = check_before_ran,
                               .bound = 2,
                               .deaths = true};
