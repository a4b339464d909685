/* Waiting for one of many: completion stack, bell, watches, callbacks. */
#include "scenarios.h"

static cf_future *futures[2];

static void take_all(cf_future *const *from, unsigned count, bool may_be_cancelled) {
    cf_as_completed *as_completed = NULL;
    bool seen[2] = {false};
    CHECK(cf_as_completed_create(from, count, &as_completed) == CF_OK);
    for (unsigned i = 0; i < count; i++) {
        cf_future *future = NULL;
        size_t index = 9;
        CHECK(cf_as_completed_next(as_completed, CF_FOREVER, &future, &index) == CF_OK);
        CHECK(index < count && !seen[index] && future == from[index]);
        uint64_t value = 0;
        cf_status status = cf_future_result(future, 0, &value);
        CHECK((status == CF_OK && value == pool_result((unsigned)index)) ||
              (may_be_cancelled && status == CF_ECANCELLED));
        seen[index] = true;
    }
    cf_as_completed_destroy(as_completed);
}

static void end(void) {
    cf_future_release(futures[0]);
    cf_future_release(futures[1]);
    cf_executor_destroy(executor);
}

static void submit_both(void) {
    futures[0] = pool_submit(&number_task, 0);
    futures[1] = pool_submit(&number_task, 1);
}

/* ---- one thread takes both ------------------------------------------------------------------- */

static void take_both(void *context) {
    (void)context;
    submit_both();
    take_all(futures, 2, false);
    end();
}

static void set_up_as_completed(void) {
    pool_begin(1, plain, take_both);
}

static void set_up_two_workers(void) {
    pool_begin(2, plain, take_both);
}

const scenario watch_as_completed = {.name = "watch_as_completed",
                                     .set_up = set_up_as_completed,
                                     .check = check_two_ran,
                                     .bound = 2};
const scenario watch_two_workers = {
    .name = "watch_two_workers", .set_up = set_up_two_workers, .check = check_two_ran, .bound = 1};

/* ---- two threads with a set each: who reaps delivers to both --------------------------------- */

static void take_other(void *context) {
    (void)context;
    take_all(futures, 1, false);
}

static void take_in_two_sets(void *context) {
    (void)context;
    futures[0] = pool_submit(&number_task, 0);
    unsigned other = sim_thread("taker", take_other, NULL);
    take_all(futures, 1, false);
    sim_join(other);
    cf_future_release(futures[0]);
    cf_executor_destroy(executor);
}

static void set_up_two_sets(void) {
    pool_begin(1, plain, take_in_two_sets);
}

const scenario watch_two_sets = {
    .name = "watch_two_sets", .set_up = set_up_two_sets, .check = check_one_ran, .bound = 2};

/* ---- the settler is a canceller -------------------------------------------------------------- */

static void cancel_second(void *context) {
    (void)context;
    cf_future_cancel(futures[1]);
}

static void take_while_cancelled(void *context) {
    (void)context;
    submit_both();
    unsigned other = sim_thread("canceller", cancel_second, NULL);
    take_all(futures, 2, true);
    sim_join(other);
    end();
}

static void set_up_cancel(void) {
    pool_begin(1, plain, take_while_cancelled);
}

static void check_first_ran(void) {
    CHECK(pool_runs(0) == 1 && pool_runs(1) <= 1);
    check_freed();
}

const scenario watch_cancel = {
    .name = "watch_cancel", .set_up = set_up_cancel, .check = check_first_ran, .bound = 2};

/* ---- what was done when the iteration began is held by it, and kept by who is handed it ------- */

static cf_as_completed *iteration;

static void release_handle(void *context) {
    (void)context;
    cf_future_release(futures[0]);
}

static void keep_handed_out(void *context) {
    (void)context;
    cf_future *future = NULL;
    CHECK(cf_as_completed_next(iteration, CF_FOREVER, &future, NULL) == CF_OK);
    CHECK(cf_future_retain(future) == futures[0]);
    cf_as_completed_destroy(iteration);
    cf_future *later = pool_submit(&number_task, 1);
    CHECK(later != future && cf_future_state(future) == CF_CANCELLED);
    cf_future_release(future);
    pool_take_result(later, 1);
    cf_executor_destroy(executor);
}

/* The last slot of its slab, so that this is used again as soon as nobody seems to hold it. */
static void set_up_handed_out(void) {
    pool_begin(1, plain, keep_handed_out);
    for (unsigned i = 1; i < CFI_SLAB_SLOTS; i++) {
        futures[0] = pool_submit(&number_task, 0);
        CHECK(cf_future_cancel(futures[0]));
        if (i + 1 < CFI_SLAB_SLOTS) {
            cf_future_release(futures[0]);
        }
    }
    CHECK(cf_as_completed_create(futures, 1, &iteration) == CF_OK);
    sim_thread("releaser", release_handle, NULL);
}

static void check_second_ran(void) {
    CHECK(pool_runs(0) == 0 && pool_runs(1) == 1);
}

const scenario watch_handed_out = {
    .name = "watch_handed_out", .set_up = set_up_handed_out, .check = check_second_ran, .bound = 2};

/* ---- a callback, by its own thread ----------------------------------------------------------- */

static unsigned calls;

static void count_call(cf_future *future, void *context) {
    (void)context;
    CHECK(cf_future_done(future));
    calls++;
    pool_arrive();
}

static void add_callback(void *context) {
    (void)context;
    calls = 0;
    cf_future *future = pool_submit(&number_task, 0);
    CHECK(cf_future_add_done_callback(future, count_call, NULL) == CF_OK);
    cf_future_release(future);
    pool_await(1);
    cf_executor_destroy(executor);
}

static void set_up_callback(void) {
    pool_begin(1, plain, add_callback);
}

static void check_called(void) {
    CHECK(calls == 1);
    check_one_ran();
}

const scenario watch_callback = {
    .name = "watch_callback", .set_up = set_up_callback, .check = check_called, .bound = 2};

/* ---- the settler of another task is stopped before it has rung -------------------------------- */

static void take_second(void *context) {
    (void)context;
    cf_as_completed *as_completed = NULL;
    cf_future *future = NULL;
    CHECK(cf_as_completed_create(&futures[1], 1, &as_completed) == CF_OK);
    CHECK(cf_as_completed_next(as_completed, CF_FOREVER, &future, NULL) == CF_OK);
    CHECK(future == futures[1]);
    cf_as_completed_destroy(as_completed);
}

static void set_up_stopped(void) {
    pool_begin_bare(2, plain);
    submit_both();
    CHECK(cf_as_completed_create(futures, 1, &iteration) == CF_OK); /* so the first is announced */
    pool_may_stop(pool_worker(0, futures[0]), 0);
    pool_worker(1, futures[1]);
    sim_thread("caller", take_second, NULL);
}

static void check_other_ran(void) {
    CHECK(pool_runs(0) <= 1 && pool_runs(1) == 1);
}

const scenario watch_stopped = {.name = "watch_stopped",
                                .set_up = set_up_stopped,
                                .check = check_other_ran,
                                .bound = 2,
                                .deaths = true};
