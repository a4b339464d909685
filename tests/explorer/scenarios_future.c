/* One task's word: waited for, cancelled, settled, out of time. */
#include "scenarios.h"

static cf_future *shared;

/* ---- two threads wait for the same future ---------------------------------------------------- */

static void wait_too(void *context) {
    (void)context;
    pool_take_result(shared, 0);
}

static void submit_for_two(void *context) {
    (void)context;
    cf_future *mine = pool_submit(&number_task, 0);
    shared = cf_future_retain(mine);
    unsigned other = sim_thread("waiter", wait_too, NULL);
    pool_take_result(mine, 0);
    sim_join(other);
    cf_executor_destroy(executor);
}

static void set_up_two_waiters(void) {
    pool_begin(1, plain, submit_for_two);
}

const scenario future_two_waiters = {
    .name = "future_two_waiters", .set_up = set_up_two_waiters, .check = check_one_ran, .bound = 2};

/* ---- cancelled, or begun: one of the two ----------------------------------------------------- */

static bool cancelled;

static void check_cancelled_or_ran(void) {
    CHECK(pool_runs(0) == (cancelled ? 0 : 1));
    check_freed();
}

static void cancel_it(void *context) {
    (void)context;
    cancelled = cf_future_cancel(shared);
    cf_future_release(shared);
}

static void see_end(cf_future *future) {
    uint64_t value = 0;
    cf_status status = cf_future_result(future, CF_FOREVER, &value);
    CHECK(status == CF_ECANCELLED || (status == CF_OK && value == pool_result(0)));
    CHECK(cf_future_cancel(future) == (status == CF_ECANCELLED));
    cf_future_release(future);
}

static void submit_and_cancel(void *context) {
    (void)context;
    cf_future *future = pool_submit(&number_task, 0);
    cancelled = cf_future_cancel(future);
    see_end(future);
    cf_executor_destroy(executor);
}

static void submit_to_be_cancelled(void *context) {
    (void)context;
    cf_future *future = pool_submit(&number_task, 0);
    shared = cf_future_retain(future);
    unsigned other = sim_thread("canceller", cancel_it, NULL);
    see_end(future);
    sim_join(other);
    cf_executor_destroy(executor);
}

static void set_up_cancel(void) {
    pool_begin(2, plain, submit_and_cancel);
}

static void set_up_cancel_waited(void) {
    pool_begin(1, plain, submit_to_be_cancelled);
}

const scenario future_cancel = {
    .name = "future_cancel", .set_up = set_up_cancel, .check = check_cancelled_or_ran, .bound = 1};
const scenario future_cancel_waited = {.name = "future_cancel_waited",
                                       .set_up = set_up_cancel_waited,
                                       .check = check_cancelled_or_ran,
                                       .bound = 2};

/* ---- a shutdown that cancels what is pending ------------------------------------------------- */

static void shut_down(void *context) {
    (void)context;
    CHECK(cf_executor_shutdown(executor, false, true) == CF_OK);
}

static void submit_while_shut_down(void *context) {
    (void)context;
    unsigned n = 0;
    cf_future *future = NULL;
    cancelled = true;
    unsigned other = sim_thread("shutter", shut_down, NULL);
    cf_status status = cf_executor_submit(executor, &number_task, &n, &future);
    CHECK(status == CF_OK || status == CF_ESHUTDOWN);
    if (status == CF_OK) {
        cancelled = cf_future_result(future, CF_FOREVER, NULL) == CF_ECANCELLED;
        cf_future_release(future);
    }
    sim_join(other);
    cf_executor_destroy(executor);
}

static void set_up_shutdown(void) {
    pool_begin(1, plain, submit_while_shut_down);
}

const scenario future_shutdown = {.name = "future_shutdown",
                                  .set_up = set_up_shutdown,
                                  .check = check_cancelled_or_ran,
                                  .bound = 2};

/* ---- a run that may be over its time: the deadline thread against the worker ----------------- */

static void submit_with_limit(void *context) {
    (void)context;
    const cf_submit_options options = {.timeout_ns = 1000};
    unsigned n = 0;
    cf_future *future = NULL;
    uint64_t value = 0;
    CHECK(cf_executor_submit_with(executor, &number_task, &n, &options, &future) == CF_OK);
    cf_status status = cf_future_result(future, CF_FOREVER, &value);
    CHECK(status == CF_EDEADLINE || (status == CF_OK && value == pool_result(0)));
    cf_future_release(future);
    cf_executor_destroy(executor);
}

static void set_up_deadline(void) {
    pool_begin(1, plain, submit_with_limit);
}

const scenario future_deadline = {
    .name = "future_deadline", .set_up = set_up_deadline, .check = check_one_ran, .bound = 1};
