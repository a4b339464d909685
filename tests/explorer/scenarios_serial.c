/* The serial executor. Several threads submit to it; each task runs once, on one of them, and one
 * at a time. */
#include "scenarios.h"

#include "cfutures/queue/completion.h"

#include "platform/atomic.h"

enum {
    TASKS = 4
};

static cf_executor *serial;
static cf_future *futures[TASKS];
static unsigned runs[TASKS];
static unsigned inside;
static _Atomic uint32_t step;

/* Another thread may go on at the load, and must not run a task then. */
static void run_alone(unsigned n) {
    CHECK(inside == 0);
    inside = 1;
    runs[n]++;
    plat_store_relaxed(&step, plat_load_relaxed(&step) + 1);
    CHECK(inside == 1);
    inside = 0;
}

static int run_plain(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    unsigned n = *(const unsigned *)arg;
    run_alone(n);
    *(uint64_t *)result = pool_result(n);
    return 0;
}

static const cf_task plain_task = {.name = "plain",
                                   .run = run_plain,
                                   .arg_size = sizeof(unsigned),
                                   .result_size = sizeof(uint64_t)};

static cf_status submit(const cf_task *task, unsigned n) {
    return cf_executor_submit(serial, task, &n, &futures[n]);
}

static void begin(cf_pool_options options) {
    options.arena_limit = 1 << 20;
    inside = 0;
    for (unsigned n = 0; n < TASKS; n++) {
        runs[n] = 0;
        futures[n] = NULL;
    }
    plat_store_relaxed(&step, 0);
    CHECK(cf_serial_create(&options, &serial) == CF_OK);
}

/* So many tasks have run. The executor is not destroyed yet: that would run what is pending. */
static void check_ran(unsigned tasks) {
    cf_stats stats;
    CHECK(cf_executor_stats(serial, &stats) == CF_OK);
    CHECK(stats.submitted == tasks && stats.finished == tasks && stats.pending == 0 &&
          stats.running == 0);
    for (unsigned n = 0; n < tasks; n++) {
        uint64_t value = 0;
        CHECK(runs[n] == 1);
        CHECK(cf_future_result(futures[n], 0, &value) == CF_OK && value == pool_result(n));
        cf_future_release(futures[n]);
    }
    cf_executor_destroy(serial);
}

/* ---- two submitters -------------------------------------------------------------------------- */

static void submit_and_see(unsigned n) {
    CHECK(submit(&plain_task, n) == CF_OK);
    CHECK(cf_future_done(futures[n])); /* submit ran it */
}

static void submit_even(void *context) {
    (void)context;
    submit_and_see(0);
    submit_and_see(2);
}

static void submit_odd(void *context) {
    (void)context;
    submit_and_see(1);
    submit_and_see(3);
}

static void set_up_two(void) {
    begin(plain);
    sim_thread("even", submit_even, NULL);
    sim_thread("odd", submit_odd, NULL);
}

static void check_four(void) {
    check_ran(4);
}

const scenario serial_two = {
    .name = "serial_two", .set_up = set_up_two, .check = check_four, .bound = 3};

/* ---- a task submits another, which ends first: its thread still has the turn ----------------- */

static int run_outer(const void *arg, void *result, cf_task_context *ctx) {
    CHECK(submit(&plain_task, 2) == CF_OK && cf_future_done(futures[2]));
    return run_plain(arg, result, ctx);
}

static const cf_task outer_task = {.name = "outer",
                                   .run = run_outer,
                                   .arg_size = sizeof(unsigned),
                                   .result_size = sizeof(uint64_t)};

static void submit_outer(void *context) {
    (void)context;
    CHECK(submit(&outer_task, 0) == CF_OK && cf_future_done(futures[0]));
}

static void submit_beside(void *context) {
    (void)context;
    submit_and_see(1);
}

static void set_up_nested(void) {
    begin(plain);
    sim_thread("outer", submit_outer, NULL);
    sim_thread("beside", submit_beside, NULL);
}

static void check_nested(void) {
    check_ran(3);
}

const scenario serial_nested = {
    .name = "serial_nested", .set_up = set_up_nested, .check = check_nested, .bound = 3};

/* ---- the initializer submits: that task is left until the first one has run ------------------ */

static int submit_from_initializer(void *context, unsigned worker, void **local) {
    (void)context;
    (void)worker;
    (void)local;
    CHECK(submit(&plain_task, 2) == CF_OK);
    return 0;
}

static void submit_first(void *context) {
    (void)context;
    submit_and_see(0);
}

static void set_up_initializer(void) {
    begin((cf_pool_options){.initializer = submit_from_initializer});
    sim_thread("first", submit_first, NULL);
    sim_thread("second", submit_beside, NULL);
}

const scenario serial_initializer = {
    .name = "serial_initializer", .set_up = set_up_initializer, .check = check_nested, .bound = 2};

/* ---- the initializer fails ------------------------------------------------------------------- */

static cf_status ended[2];

static int fail(void *context, unsigned worker, void **local) {
    (void)context;
    (void)worker;
    (void)local;
    return 7;
}

/* The submit is refused, or the task has ended when it returns. */
static void submit_in_vain(void *number) {
    unsigned n = *(const unsigned *)number;
    ended[n] = submit(&plain_task, n);
    if (ended[n] == CF_OK) {
        ended[n] = cf_future_result(futures[n], 0, NULL);
        cf_future_release(futures[n]);
    }
}

static void set_up_unfit(void) {
    static unsigned numbers[] = {0, 1};
    begin((cf_pool_options){.initializer = fail});
    sim_thread("first", submit_in_vain, &numbers[0]);
    sim_thread("second", submit_in_vain, &numbers[1]);
}

static void check_unfit(void) {
    cf_stats stats;
    CHECK(ended[0] == CF_EBROKEN && ended[1] == CF_EBROKEN && runs[0] == 0 && runs[1] == 0);
    CHECK(cf_executor_stats(serial, &stats) == CF_OK);
    CHECK(stats.finished == stats.submitted && stats.failed == stats.submitted &&
          stats.pending == 0);
    cf_executor_destroy(serial);
}

const scenario serial_unfit = {
    .name = "serial_unfit", .set_up = set_up_unfit, .check = check_unfit, .bound = 4};

/* ---- the running task waits for the submitter, which leaves its task ------------------------- */

static cf_future *pool_task; /* of another executor: its worker submits to the serial one */

static int run_waiting(const void *arg, void *result, cf_task_context *ctx) {
    cf_status status = cf_future_result(pool_task, CF_FOREVER, NULL);
    CHECK(status == CF_OK || status == CF_EDEADLOCK || status == CF_EDEADLINE);
    return run_plain(arg, result, ctx);
}

static const cf_task waiting_task = {.name = "waiting",
                                     .run = run_waiting,
                                     .arg_size = sizeof(unsigned),
                                     .result_size = sizeof(uint64_t)};

static int run_submitting(const void *arg, void *result, cf_task_context *ctx) {
    CHECK(submit(&plain_task, 1) == CF_OK);
    return number_task.run(arg, result, ctx);
}

static const cf_task submitting_task = {.name = "submitting",
                                        .run = run_submitting,
                                        .arg_size = sizeof(unsigned),
                                        .result_size = sizeof(uint64_t)};

static void submit_waiting(void *context) {
    (void)context;
    CHECK(submit(&waiting_task, 0) == CF_OK);
}

/* Declares it over its time, as the deadline thread does. */
static void end_pool_task(void *context) {
    (void)context;
    cfi_slot *slot = cfi_slot_of(pool_task);
    uint64_t word = plat_load_acquire(&slot->word);
    if (cfi_slot_expire(slot, true, &word)) {
        cfi_completion_announce(&executor->queue, slot, word);
    }
}

/* The pool's task may be over its time. Then the waiting task goes on, and its thread gives the
 * turn while the submitter leaves its task. */
static void set_up_left(void) {
    begin(plain);
    pool_begin_bare(1, plain);
    pool_task = pool_submit(&submitting_task, 0);
    pool_worker(0, pool_task);
    sim_thread("waiter", submit_waiting, NULL);
    sim_thread("deadlines", end_pool_task, NULL);
}

static void check_left(void) {
    CHECK(pool_runs(0) == 1 && cf_future_done(pool_task));
    check_ran(2);
}

const scenario serial_left = {
    .name = "serial_left", .set_up = set_up_left, .check = check_left, .bound = 3};

/* ---- a thread shuts down while another submits ----------------------------------------------- */

static bool accepted;
static unsigned born, died; /* lives of the worker */

static int be_born(void *context, unsigned worker, void **local) {
    (void)context;
    (void)worker;
    (void)local;
    born++;
    return 0;
}

static void die(void *context, unsigned worker, void *local) {
    (void)context;
    (void)worker;
    (void)local;
    died++;
}

static void submit_late(void *context) {
    (void)context;
    cf_status status = submit(&plain_task, 0);
    CHECK(status == CF_OK || status == CF_ESHUTDOWN);
    accepted = status == CF_OK;
}

static void shut_down(void *context) {
    (void)context;
    CHECK(cf_executor_shutdown(serial, true, false) == CF_OK);
}

static void set_up_shutdown(void) {
    begin((cf_pool_options){.initializer = be_born, .finalizer = die});
    accepted = false;
    born = died = 0;
    sim_thread("submitter", submit_late, NULL);
    sim_thread("shutter", shut_down, NULL);
}

static void check_shutdown(void) {
    CHECK(born == accepted && died == accepted); /* also when the shutter has run the task */
    check_ran(accepted);
}

const scenario serial_shutdown = {
    .name = "serial_shutdown", .set_up = set_up_shutdown, .check = check_shutdown, .bound = 6};

/* ---- callbacks, which have no thread of their own -------------------------------------------- */

static unsigned calls[2]; /* by the number of the callback */

/* Another thread may go on at the load, and must not call a callback then. */
static void note_call(cf_future *done, void *context) {
    unsigned *mine = context;
    CHECK(cf_future_done(done) && inside == 0);
    inside = 1;
    ++*mine;
    plat_store_relaxed(&step, plat_load_relaxed(&step) + 1);
    CHECK(inside == 1);
    inside = 0;
}

static void add_callback(void *counted) {
    CHECK(cf_future_add_done_callback(futures[0], note_call, counted) == CF_OK);
}

/* The shutdown waits for the callback, also if the other thread calls it. */
static void add_and_shut_down(void *counted) {
    const unsigned *mine = counted;
    add_callback(counted);
    shut_down(NULL);
    CHECK(*mine == 1);
}

static void set_up_callbacks(void) {
    begin(plain);
    calls[0] = calls[1] = 0;
    CHECK(submit(&plain_task, 0) == CF_OK);
    sim_thread("adder", add_callback, &calls[0]);
    sim_thread("shutter", add_and_shut_down, &calls[1]);
}

static void check_callbacks(void) {
    CHECK(calls[0] == 1 && calls[1] == 1);
    check_ran(1);
}

const scenario serial_callbacks = {
    .name = "serial_callbacks", .set_up = set_up_callbacks, .check = check_callbacks, .bound = 3};
