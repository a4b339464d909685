/* Waits inside a task. The worker runs a pending task itself and waits for a running one; a wait
 * that can never end is refused. */
#include "scenarios.h"

enum {
    TASKS = 3,
    NOTHING = -1
};

static cf_future *futures[TASKS];
static int waits_for[TASKS];    /* the task that each one waits for */
static cf_status waited[TASKS]; /* how its wait ended */

static int run_waiting(const void *arg, void *result, cf_task_context *ctx) {
    unsigned n = *(const unsigned *)arg;
    if (waits_for[n] != NOTHING) {
        waited[n] = cf_future_result(futures[waits_for[n]], CF_FOREVER, NULL);
    }
    return number_task.run(arg, result, ctx);
}

static const cf_task waiting_task = {.name = "waiting",
                                     .run = run_waiting,
                                     .arg_size = sizeof(unsigned),
                                     .result_size = sizeof(uint64_t)};

static void begin(unsigned workers, unsigned tasks) {
    pool_begin_bare(workers, plain);
    for (unsigned n = 0; n < TASKS; n++) {
        waits_for[n] = NOTHING;
        waited[n] = CF_OK;
        futures[n] = n < tasks ? pool_submit(&waiting_task, n) : NULL;
    }
}

static void check_ran(unsigned tasks) {
    for (unsigned n = 0; n < tasks; n++) {
        CHECK(pool_runs(n) == 1 && cf_future_done(futures[n]));
    }
}

/* `refused` waits were refused; the others ended with CF_OK. */
static void check_refused(unsigned tasks, unsigned refused) {
    check_ran(tasks);
    for (unsigned n = 0; n < tasks; n++) {
        CHECK(waited[n] == CF_OK || waited[n] == CF_EDEADLOCK);
        CHECK(waited[n] == CF_OK || refused > 0);
        refused -= waited[n] == CF_EDEADLOCK;
    }
    CHECK(refused == 0);
}

/* ---- the task is pending: the waiting worker runs it, or another one does -------------------- */

static void set_up_begun(void) {
    begin(2, 2);
    waits_for[0] = 1;
    pool_worker(0, futures[0]);
    pool_worker(1, NULL);
}

static void check_begun(void) {
    check_refused(2, 0);
}

const scenario nested_begun = {
    .name = "nested_begun", .set_up = set_up_begun, .check = check_begun, .bound = 6};

/* ---- or another thread cancels it ------------------------------------------------------------ */

static bool cancelled;

static void cancel_second(void *context) {
    (void)context;
    cancelled = cf_future_cancel(futures[1]);
}

static void set_up_cancelled(void) {
    begin(1, 2);
    waits_for[0] = 1;
    pool_worker(0, futures[0]);
    sim_thread("canceller", cancel_second, NULL);
}

static void check_cancelled(void) {
    CHECK(pool_runs(0) == 1 && pool_runs(1) == (cancelled ? 0 : 1));
    CHECK(waited[0] == (cancelled ? CF_ECANCELLED : CF_OK));
}

const scenario nested_cancelled = {
    .name = "nested_cancelled", .set_up = set_up_cancelled, .check = check_cancelled, .bound = 6};

/* ---- tasks that wait for each other ---------------------------------------------------------- */

static void set_up_circle_of(unsigned tasks) {
    begin(tasks, tasks);
    for (unsigned n = 0; n < tasks; n++) {
        waits_for[n] = (int)((n + 1) % tasks);
        pool_worker(n, futures[n]);
    }
}

static void set_up_circle(void) {
    set_up_circle_of(2);
}

static void set_up_circle_of_three(void) {
    set_up_circle_of(3);
}

static void check_circle(void) {
    check_refused(2, 1);
}

static void check_circle_of_three(void) {
    check_refused(3, 1);
}

const scenario nested_circle = {
    .name = "nested_circle", .set_up = set_up_circle, .check = check_circle, .bound = 6};
const scenario nested_circle_of_three = {.name = "nested_circle_of_three",
                                         .set_up = set_up_circle_of_three,
                                         .check = check_circle_of_three,
                                         .bound = 2};

/* ---- a third task waits for one of the two: it is not in their circle ------------------------ */

static void set_up_tail(void) {
    begin(3, 3);
    for (unsigned n = 0; n < 3; n++) {
        waits_for[n] = n == 0;
        pool_worker(n, futures[n]);
    }
}

static void check_tail(void) {
    check_refused(3, 1);
    CHECK(waited[2] == CF_OK);
}

const scenario nested_tail = {
    .name = "nested_tail", .set_up = set_up_tail, .check = check_tail, .bound = 2};

/* ---- a worker ends its task and begins one that waits for the other: never a circle ---------- */

static void set_up_relay(void) {
    begin(2, 3);
    waits_for[0] = 1;
    waits_for[2] = 0;
    pool_worker(0, futures[0]);
    pool_worker(1, NULL);
}

static void check_relay(void) {
    check_refused(3, 0);
}

const scenario nested_relay = {
    .name = "nested_relay", .set_up = set_up_relay, .check = check_relay, .bound = 4};

/* ---- a task waits for one of several --------------------------------------------------------- */

static unsigned handed_out; /* tasks, by bit */

/* Returns how the iteration ended: CF_EEXHAUSTED when all were done. */
static int run_iterating(const void *arg, void *result, cf_task_context *ctx) {
    cf_as_completed *as_completed = NULL;
    cf_future *future = NULL;
    size_t index;
    CHECK(cf_as_completed_create(&futures[1], TASKS - 1, &as_completed) == CF_OK);
    while ((waited[0] = cf_as_completed_next(as_completed, CF_FOREVER, &future, &index)) == CF_OK) {
        CHECK(index < TASKS - 1 && future == futures[index + 1] && cf_future_done(future));
        CHECK((handed_out >> index & 1) == 0);
        handed_out |= 1u << index;
    }
    cf_as_completed_destroy(as_completed);
    return number_task.run(arg, result, ctx);
}

static const cf_task iterating_task = {.name = "iterating",
                                       .run = run_iterating,
                                       .arg_size = sizeof(unsigned),
                                       .result_size = sizeof(uint64_t)};

/* Task 0 iterates over the others. */
static void begin_iterating(unsigned workers) {
    pool_begin_bare(workers, plain);
    handed_out = 0;
    for (unsigned n = 0; n < TASKS; n++) {
        waits_for[n] = NOTHING;
        waited[n] = CF_OK;
        futures[n] = pool_submit(n == 0 ? &iterating_task : &waiting_task, n);
    }
    pool_worker(0, futures[0]);
}

/* Both are pending, only this worker can run them, one may be cancelled. */
static void set_up_set(void) {
    begin_iterating(1);
    sim_thread("canceller", cancel_second, NULL);
}

static void check_set(void) {
    CHECK(waited[0] == CF_EEXHAUSTED && handed_out == 3);
    CHECK(pool_runs(0) == 1 && pool_runs(1) == (cancelled ? 0 : 1) && pool_runs(2) == 1);
}

const scenario nested_set = {
    .name = "nested_set", .set_up = set_up_set, .check = check_set, .bound = 5};

/* Task 1 waits for the iterating task. There is a circle only when task 2 has been handed out. */
static void set_up_circle_in_set(void) {
    begin_iterating(3);
    waits_for[1] = 0;
    pool_worker(1, futures[1]);
    pool_worker(2, futures[2]);
}

static void check_circle_in_set(void) {
    check_ran(TASKS);
    CHECK((handed_out & 2) != 0);
    CHECK(waited[0] == CF_EDEADLOCK
              ? waited[1] == CF_OK && handed_out == 2
              : waited[0] == CF_EEXHAUSTED && waited[1] == CF_EDEADLOCK && handed_out == 3);
}

const scenario nested_circle_in_set = {.name = "nested_circle_in_set",
                                       .set_up = set_up_circle_in_set,
                                       .check = check_circle_in_set,
                                       .bound = 2};

/* ---- a circle through a pending task: the only worker of its executor waits too -------------- */

static void set_up_two_pools(void) {
    begin(1, 1);
    waits_for[0] = 2;
    pool_worker(0, futures[0]);
    pool_begin_bare(1, plain);
    waits_for[1] = 0;
    for (unsigned n = 1; n < TASKS; n++) {
        futures[n] = pool_submit(&waiting_task, n);
    }
    pool_worker(0, futures[1]);
}

static void check_two_pools(void) {
    check_refused(TASKS, 1);
}

const scenario nested_two_pools = {
    .name = "nested_two_pools", .set_up = set_up_two_pools, .check = check_two_pools, .bound = 6};

/* ---- the awaited task needs one that it has submitted: who waits runs that one, and no other -- */

static int run_parent(const void *arg, void *result, cf_task_context *ctx) {
    cf_future *child = pool_submit(&meeting_task, 2);
    pool_await(1); /* by no call of the library's: only the waiting worker can run it */
    pool_take_result(child, 2);
    return number_task.run(arg, result, ctx);
}

static const cf_task parent_task = {.name = "parent",
                                    .run = run_parent,
                                    .arg_size = sizeof(unsigned),
                                    .result_size = sizeof(uint64_t)};

static int run_stranger(const void *arg, void *result, cf_task_context *ctx) {
    CHECK(cf_task_worker(ctx) != 0 || pool_runs(0) == 1); /* worker 0 waits for task 1 until then */
    return number_task.run(arg, result, ctx);
}

static const cf_task stranger_task = {.name = "stranger",
                                      .run = run_stranger,
                                      .arg_size = sizeof(unsigned),
                                      .result_size = sizeof(uint64_t)};

/* Task 0 waits for task 1, whose child is task 2. Task 3 is nobody's child. */
static void set_up_helped(void) {
    pool_begin_bare(2, plain);
    pool_meet(1);
    waits_for[0] = 1;
    waited[0] = CF_OK;
    futures[0] = pool_submit(&waiting_task, 0);
    futures[1] = pool_submit(&parent_task, 1);
    futures[2] = pool_submit(&stranger_task, 3);
    pool_worker(0, futures[0]);
    pool_worker(1, futures[1]);
}

static void check_helped(void) {
    CHECK(waited[0] == CF_OK);
    for (unsigned n = 0; n < 4; n++) {
        CHECK(pool_runs(n) == 1);
    }
}

const scenario nested_helped = {
    .name = "nested_helped", .set_up = set_up_helped, .check = check_helped, .bound = 2};

/* ---- in a pool, a task submits others and waits for them ------------------------------------- */

static int run_submitting(const void *arg, void *result, cf_task_context *ctx) {
    for (unsigned n = 1; n < TASKS; n++) {
        futures[n] = pool_submit(&number_task, n);
    }
    for (unsigned n = 1; n < TASKS; n++) {
        pool_take_result(futures[n], n);
    }
    return number_task.run(arg, result, ctx);
}

static const cf_task submitting_task = {.name = "submitting",
                                        .run = run_submitting,
                                        .arg_size = sizeof(unsigned),
                                        .result_size = sizeof(uint64_t)};

static void take_first(void *context) {
    (void)context;
    pool_take_result(futures[0], 0);
    cf_executor_destroy(executor);
}

static void set_up_in_pool(void) {
    pool_begin(2, plain, take_first);
    futures[0] = pool_submit(&submitting_task, 0);
}

static void check_in_pool(void) {
    check_two_ran();
    CHECK(pool_runs(2) == 1);
}

const scenario nested_in_pool = {
    .name = "nested_in_pool", .set_up = set_up_in_pool, .check = check_in_pool, .bound = 1};
