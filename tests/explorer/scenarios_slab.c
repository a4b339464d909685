/* Slots that are given up, recycled, and looked at by who lags behind. A slab has three slots here
 * (explorer.cmake), and one is kept in reserve. */
#include "scenarios.h"

enum {
    MANY = 8
};

static void check_many_ran(void) {
    for (unsigned i = 0; i < MANY; i++) {
        CHECK(pool_runs(i) == 1);
    }
    check_freed();
}

/* ---- one after the other through all slabs and round again ----------------------------------- */

static void go_round(void *context) {
    (void)context;
    for (unsigned i = 0; i < MANY; i++) {
        pool_take_result(pool_submit(&number_task, i), i);
    }
    cf_executor_destroy(executor);
}

static void set_up_round(void) {
    pool_begin(1, plain, go_round);
}

const scenario slab_round = {
    .name = "slab_round", .set_up = set_up_round, .check = check_many_ran, .bound = 2};

/* ---- recycled while a worker that is about to begin one of its tasks lags behind ------------- */

static cf_future *pending;
static bool first_cancelled;

/* The slab's other slots are given up already. */
static void cancel_and_submit(void *context) {
    (void)context;
    first_cancelled = cf_future_cancel(pending);
    cf_future_release(pending);
    pool_take_result(pool_submit(&number_task, 1), 1);
    cf_executor_destroy(executor);
}

static void fill_slab(void) {
    pending = pool_submit(&number_task, 0);
    for (unsigned i = 2; i < CFI_SLAB_SLOTS; i++) {
        cf_future *other = pool_submit(&number_task, 2);
        CHECK(cf_future_cancel(other));
        cf_future_release(other);
    }
}

static void set_up_recycled(void) {
    pool_begin(2, plain, cancel_and_submit);
    fill_slab();
}

static void check_recycled(void) {
    CHECK(pool_runs(0) == (first_cancelled ? 0 : 1) && pool_runs(1) == 1 && pool_runs(2) == 0);
    check_freed();
}

const scenario slab_recycled = {
    .name = "slab_recycled", .set_up = set_up_recycled, .check = check_recycled, .bound = 1};

/* ---- recycled while the cursor is still before it: all of its tasks were cancelled ----------- */

static unsigned cancelled; /* tasks, by bit */

static void cancel_and_go_round(void *context) {
    (void)context;
    cancelled = 0;
    for (unsigned i = 0; i < MANY - 1; i++) {
        cf_future *future = pool_submit(&number_task, i);
        cancelled |= cf_future_cancel(future) ? 1u << i : 0;
        cf_future_release(future);
    }
    pool_take_result(pool_submit(&number_task, MANY - 1), MANY - 1);
    cf_executor_destroy(executor);
}

static void set_up_cancelled(void) {
    pool_begin(1, plain, cancel_and_go_round);
}

static void check_not_cancelled_ran(void) {
    for (unsigned i = 0; i < MANY; i++) {
        CHECK(pool_runs(i) == ((cancelled >> i & 1) != 0 ? 0 : 1));
    }
    check_freed();
}

const scenario slab_cancelled = {.name = "slab_cancelled",
                                 .set_up = set_up_cancelled,
                                 .check = check_not_cancelled_ran,
                                 .bound = 1};

/* ---- nobody holds the futures: slabs wait until their tasks are settled ---------------------- */

enum {
    BEFORE = 2 * (CFI_SLAB_SLOTS - 1), /* two slabs of tasks that are pending yet */
    UNHELD = BEFORE + CFI_SLAB_SLOTS
};

static void submit_unheld(unsigned n) {
    CHECK(cf_executor_submit(executor, &number_task, &n, NULL) == CF_OK);
}

static void submit_more_unheld(void *context) {
    (void)context;
    for (unsigned n = BEFORE; n < UNHELD; n++) {
        submit_unheld(n);
    }
    cf_executor_destroy(executor);
}

static void set_up_unheld(void) {
    pool_begin(1, plain, submit_more_unheld);
    for (unsigned n = 0; n < BEFORE; n++) {
        submit_unheld(n);
    }
}

static void check_unheld_ran(void) {
    for (unsigned n = 0; n < UNHELD; n++) {
        CHECK(pool_runs(n) == 1);
    }
    check_freed();
}

const scenario slab_unheld = {
    .name = "slab_unheld", .set_up = set_up_unheld, .check = check_unheld_ran, .bound = 1};

/* ---- two threads give up slots of the same slab, after the executor's own end ---------------- */

static cf_future *theirs;

static void give_up(void *context) {
    (void)context;
    cf_future_release(theirs);
}

static void give_up_too(void *context) {
    (void)context;
    cf_future *mine = pool_submit(&number_task, 0);
    theirs = pool_submit(&number_task, 1);
    unsigned other = sim_thread("holder", give_up, NULL);
    cf_executor_destroy(executor);
    cf_future_release(mine);
    sim_join(other);
}

static void set_up_two_holders(void) {
    pool_begin(1, plain, give_up_too);
}

const scenario slab_two_holders = {
    .name = "slab_two_holders", .set_up = set_up_two_holders, .check = check_two_ran, .bound = 2};
