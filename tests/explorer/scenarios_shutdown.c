/* Shutdown against submit: a task is refused, or it runs; a submit that waits for room is told; no
 * worker is started any more (pool.c checks that at each start). */
#include "scenarios.h"

static const cf_pool_options one_pending = {.max_pending = 1};
static const cf_pool_options two_pending = {.max_pending = 2};

static cf_future *before; /* task 2: pending when the run begins */
static unsigned shutter;  /* thread */
static size_t submitted;

static void submit_before(void) {
    before = pool_submit(&number_task, 2);
}

/* ---- a submit that waits for room ------------------------------------------------------------- */

/* Only the shutdown makes room, by cancelling, and that comes too late. */
static void submit_too_late(void *context) {
    (void)context;
    unsigned n = 0;
    cf_future *future;
    CHECK(cf_executor_submit(executor, &number_task, &n, &future) == CF_ESHUTDOWN);
}

static void shut_down(void *context) {
    CHECK(cf_executor_shutdown(executor, false, context != NULL) == CF_OK);
}

static void set_up_room(bool cancel_pending) {
    pool_begin_bare(1, one_pending);
    submit_before();
    sim_thread("submitter", submit_too_late, NULL);
    sim_thread("shutter", shut_down, cancel_pending ? executor : NULL);
}

static void set_up_room_kept(void) {
    set_up_room(false);
}

static void set_up_room_cancelled(void) {
    set_up_room(true);
}

static void check_left_pending(void) {
    CHECK(pool_pending() == 1 && !cf_future_done(before));
}

static void check_cancelled(void) {
    CHECK(pool_pending() == 0 && cf_future_state(before) == CF_CANCELLED);
}

const scenario shutdown_room = {
    .name = "shutdown_room", .set_up = set_up_room_kept, .check = check_left_pending, .bound = 5};
const scenario shutdown_room_cancelled = {.name = "shutdown_room_cancelled",
                                          .set_up = set_up_room_cancelled,
                                          .check = check_cancelled,
                                          .bound = 4};

/* ---- the first submit, which starts a worker -------------------------------------------------- */

static void shut_down_and_wait(void *context) {
    (void)context;
    CHECK(cf_executor_shutdown(executor, true, false) == CF_OK);
    CHECK(pool_pending() == 0);
}

static void submit_first(void *context) {
    (void)context;
    unsigned n = 0;
    cf_future *future = NULL;
    cf_status status = cf_executor_submit(executor, &number_task, &n, &future);
    CHECK(status == CF_OK || status == CF_ESHUTDOWN);
    submitted = status == CF_OK;
    if (status == CF_OK) {
        pool_take_result(future, 0);
    }
    sim_join(shutter);
    cf_executor_destroy(executor);
}

static void set_up_first(void) {
    pool_begin_unstarted(1, plain, submit_first);
    shutter = sim_thread("shutter", shut_down_and_wait, NULL);
}

static void check_what_was_submitted_ran(void) {
    for (unsigned n = 0; n < 2; n++) {
        CHECK(pool_runs(n) == (n < submitted ? 1 : 0));
    }
    check_freed();
}

const scenario shutdown_first = {.name = "shutdown_first",
                                 .set_up = set_up_first,
                                 .check = check_what_was_submitted_ran,
                                 .bound = 2};

/* ---- a batch that waits for room, and lacks a worker that was refused ------------------------- */

static void submit_batch(void *context) {
    (void)context;
    static const unsigned numbers[] = {0, 1};
    cf_future *futures[2];
    submitted = 9;
    cf_status status =
        cf_executor_submit_many(executor, &number_task, numbers, 2, NULL, futures, &submitted);
    CHECK(status == CF_OK ? submitted == 2 : status == CF_ESHUTDOWN && submitted < 2);
    for (unsigned n = 0; n < submitted; n++) {
        pool_take_result(futures[n], n);
    }
    pool_take_result(before, 2);
    sim_join(shutter);
    cf_executor_destroy(executor);
}

static void set_up_batch(void) {
    pool_begin_unstarted(2, two_pending, submit_batch);
    submit_before();
    pool_refuse_start();
    shutter = sim_thread("shutter", shut_down, NULL);
}

const scenario shutdown_batch = {.name = "shutdown_batch",
                                 .set_up = set_up_batch,
                                 .check = check_what_was_submitted_ran,
                                 .bound = 1};
