/* Callbacks. Each is called once, in the order in which they were added, before the executor is
 * destroyed. */
#include "scenarios.h"

#include "cfutures/waiting/callback.h"

enum {
    CALLS_MAX = 4
};

static cf_future *future;
static unsigned calls;
static unsigned called[CALLS_MAX]; /* numbers of the callbacks, in the order of their calls */

static void note_call(cf_future *done, unsigned which) {
    CHECK(cf_future_done(done) && calls < CALLS_MAX);
    called[calls++] = which;
}

static void first(cf_future *done, void *context) {
    (void)context;
    note_call(done, 1);
}

static void second(cf_future *done, void *context) {
    (void)context;
    note_call(done, 2);
}

static void add(cf_future *to, cf_done_fn *callback) {
    CHECK(cf_future_add_done_callback(to, callback, NULL) == CF_OK);
}

/* Callbacks 1 to how_many were called, in this order. */
static void check_calls(unsigned how_many) {
    CHECK(calls == how_many);
    for (unsigned i = 0; i < how_many; i++) {
        CHECK(called[i] == i + 1);
    }
}

/* The one worker has begun the task. */
static void begin(void (*caller)(void *)) {
    pool_begin_bare(1, plain);
    calls = 0;
    future = pool_submit(&number_task, 0);
    pool_worker(0, future);
    sim_thread("caller", caller, NULL);
}

/* ---- added while the task is settled --------------------------------------------------------- */

static void add_two(void *context) {
    (void)context;
    add(future, first);
    add(future, second);
    cf_future_release(future);
    cf_executor_destroy(executor);
    check_calls(2);
}

static void set_up_two(void) {
    begin(add_two);
}

const scenario callback_two = {
    .name = "callback_two", .set_up = set_up_two, .check = check_one_ran, .bound = 2};

/* ---- added while an iteration waits for the same future: both threads reap ------------------- */

static void arrive(cf_future *done, void *context) {
    (void)context;
    note_call(done, 1);
    pool_arrive();
}

static void add_arriving(void *context) {
    (void)context;
    add(future, arrive);
}

static void iterate(void *context) {
    (void)context;
    cf_as_completed *as_completed = NULL;
    cf_future *done = NULL;
    unsigned adder = sim_thread("adder", add_arriving, NULL);
    CHECK(cf_as_completed_create(&future, 1, &as_completed) == CF_OK);
    CHECK(cf_as_completed_next(as_completed, CF_FOREVER, &done, NULL) == CF_OK && done == future);
    cf_as_completed_destroy(as_completed);
    pool_await(1);
    sim_join(adder);
    cf_future_release(future);
    cf_executor_destroy(executor);
    check_calls(1);
}

static void set_up_iteration(void) {
    begin(iterate);
}

const scenario callback_iteration = {
    .name = "callback_iteration", .set_up = set_up_iteration, .check = check_one_ran, .bound = 2};

/* ---- a callback adds another one, and submits a task with a third ---------------------------- */

static bool submitted; /* before the pool was stopped */

static void third(cf_future *done, void *context) {
    (void)context;
    note_call(done, 3);
    CHECK(pool_runs(1) == 1);
}

static void go_on(cf_future *done, void *context) {
    (void)context;
    unsigned n = 1;
    cf_future *next = NULL;
    note_call(done, 1);
    add(done, second);
    cf_status status = cf_executor_submit(executor, &number_task, &n, &next);
    CHECK(status == CF_OK || status == CF_ESHUTDOWN);
    submitted = status == CF_OK;
    if (submitted) {
        add(next, third);
        cf_future_release(next);
    }
}

static void add_going_on(void *context) {
    (void)context;
    add(future, go_on);
    cf_future_release(future);
    cf_executor_destroy(executor);
    check_calls(submitted ? 3 : 2);
}

static void set_up_going_on(void) {
    pool_begin(1, plain, add_going_on);
    calls = 0;
    submitted = false;
    future = pool_submit(&number_task, 0);
}

static void check_went_on(void) {
    CHECK(pool_runs(0) == 1 && pool_runs(1) == submitted);
    check_freed();
}

const scenario callback_goes_on = {
    .name = "callback_goes_on", .set_up = set_up_going_on, .check = check_went_on, .bound = 2};

/* ---- added to a task that is done, while the callback thread is told to end ------------------ */

static void add_to_done(void *context) {
    (void)context;
    add(future, first);
}

static void shut_down(void *context) {
    (void)context;
    unsigned adder = sim_thread("adder", add_to_done, NULL);
    CHECK(cf_executor_shutdown(executor, true, false) == CF_OK);
    sim_join(adder);
    cf_future_release(future);
    cf_executor_destroy(executor);
    check_calls(1);
}

static void set_up_at_the_end(void) {
    pool_begin_bare(1, plain);
    calls = 0;
    future = pool_submit(&number_task, 0);
    CHECK(cf_future_cancel(future));
    sim_thread("caller", shut_down, NULL);
}

const scenario callback_at_the_end = {
    .name = "callback_at_the_end", .set_up = set_up_at_the_end, .check = check_freed, .bound = 4};

/* ---- the settler of another task is stopped before it has rung -------------------------------- */

static cf_future *unfinished;
static cf_as_completed *iteration;

static void call_and_tell(cf_future *done, void *context) {
    (void)context;
    note_call(done, 1);
    pool_arrive();
}

static void await_call(void *context) {
    (void)context;
    add(future, call_and_tell);
    pool_await(1);
    cfi_callbacks_finish(executor); /* no shutdown: the stopped worker's task never ends */
}

static void set_up_stopped(void) {
    pool_begin_bare(2, plain);
    calls = 0;
    unfinished = pool_submit(&number_task, 0);
    future = pool_submit(&number_task, 1);
    CHECK(cf_as_completed_create(&unfinished, 1, &iteration) == CF_OK); /* so it is announced */
    pool_may_stop(pool_worker(0, unfinished), 0);
    pool_worker(1, future);
    sim_thread("caller", await_call, NULL);
}

static void check_called_once(void) {
    check_calls(1);
}

const scenario callback_stopped = {.name = "callback_stopped",
                                   .set_up = set_up_stopped,
                                   .check = check_called_once,
                                   .bound = 1,
                                   .deaths = true};
