/* A process pool's supervisor. A worker dies at any step, or the nursery does: each task ends all
 * the same, and is counted once. */
#include "scenarios.h"

#include "processes.h"

#include "platform/clock.h"
#include "platform/futex.h"

enum {
    TASKS = 2
};

static cf_future *futures[TASKS];
static cf_status ended[TASKS];
static cf_stats stats;

static void submit(unsigned n, unsigned retries) {
    const cf_submit_options options = {.retries = retries};
    CHECK(cf_executor_submit_with(executor, &number_task, &n, &options, &futures[n]) == CF_OK);
}

static void see(unsigned n) {
    uint64_t value = 0;
    ended[n] = cf_future_result(futures[n], CF_FOREVER, &value);
    CHECK(ended[n] != CF_OK || value == pool_result(n));
    cf_future_release(futures[n]);
}

static void end(void) {
    CHECK(cf_executor_shutdown(executor, true, false) == CF_OK);
    pool_check_counts(&stats);
    cf_executor_destroy(executor);
    CHECK(processes_are_forgotten());
}

/* ---- run again by a successor, though the pool is stopped ------------------------------------ */

static void shut_down_and_see(void *context) {
    (void)context;
    CHECK(cf_executor_shutdown(executor, true, false) == CF_OK);
    see(0);
    end();
}

static void set_up_retried(void) {
    processes_begin(1, plain, A_WORKER_DIES, shut_down_and_see);
    submit(0, 1);
}

static void check_retried(void) {
    CHECK(ended[0] == CF_OK && stats.failed == 0 && stats.finished == 1);
    CHECK(pool_runs(0) == 1 || (pool_runs(0) == 2 && stats.retries == 1 && stats.restarts == 1));
    CHECK(stats.retries <= stats.restarts && stats.restarts <= 1);
}

const scenario process_retried = {.name = "process_retried",
                                  .set_up = set_up_retried,
                                  .check = check_retried,
                                  .bound = 1,
                                  .deaths = true};

/* Or the other worker runs it. */
static void set_up_two(void) {
    processes_begin(2, plain, A_WORKER_DIES, shut_down_and_see);
    submit(0, 1);
}

static void check_two(void) {
    CHECK(ended[0] == CF_OK && stats.failed == 0 && stats.finished == 1);
    CHECK(pool_runs(0) >= 1 && pool_runs(0) <= 1 + stats.retries && stats.retries <= 1);
}

const scenario process_two = {
    .name = "process_two", .set_up = set_up_two, .check = check_two, .bound = 0, .deaths = true};

/* ---- lost; the counts are right as soon as the caller knows the results ---------------------- */

static void see_both(void *context) {
    (void)context;
    see(0);
    see(1);
    pool_check_counts(&stats);
    end();
}

static void set_up_lost(void) {
    processes_begin(1, plain, A_WORKER_DIES, see_both);
    submit(0, 0);
    submit(1, 0);
}

static void check_lost(void) {
    unsigned lost = 0;
    for (unsigned n = 0; n < TASKS; n++) {
        CHECK(ended[n] == CF_OK || ended[n] == CF_EWORKER);
        CHECK(pool_runs(n) <= 1 && (ended[n] == CF_EWORKER || pool_runs(n) == 1));
        lost += ended[n] == CF_EWORKER;
    }
    CHECK(lost <= 1 && stats.failed == lost && stats.unseen == 0 && stats.finished == TASKS);
    CHECK(stats.restarts <= 1 && stats.retries == 0 && stats.timed_out == 0);
}

const scenario process_lost = {
    .name = "process_lost", .set_up = set_up_lost, .check = check_lost, .bound = 0, .deaths = true};

/* ---- killed for the task's time limit; a late request hits no successor ---------------------- */

#define SECOND INT64_C(1000000000)

static unsigned overdue_life; /* of the worker that ran the task */

static int run_overdue(const void *arg, void *result, cf_task_context *ctx) {
    static _Atomic uint32_t nothing;
    overdue_life = processes_life(cf_task_worker(ctx));
    plat_futex_wait(&nothing, 0, plat_deadline_ns(SECOND), true);
    return number_task.run(arg, result, ctx);
}

static const cf_task overdue_task = {.name = "overdue",
                                     .run = run_overdue,
                                     .arg_size = sizeof(unsigned),
                                     .result_size = sizeof(uint64_t)};

static void set_up_killed(void) {
    const cf_submit_options options = {.timeout_ns = SECOND};
    unsigned n = 0;
    overdue_life = 0;
    processes_begin(1, plain, A_WORKER_DIES, see_both);
    CHECK(cf_executor_submit_with(executor, &overdue_task, &n, &options, &futures[0]) == CF_OK);
    submit(1, 0);
}

/* The worker is killed, dies before that, or returns late. Its successor may die by itself. */
static void check_killed(void) {
    CHECK(ended[0] == CF_EDEADLINE || ended[0] == CF_EWORKER);
    CHECK(ended[1] == CF_OK || ended[1] == CF_EWORKER);
    CHECK(pool_runs(0) <= 1 && pool_runs(1) <= 1);
    CHECK(processes_killed_life() == 0 || processes_killed_life() == overdue_life);
    CHECK(stats.failed == 1 + (ended[1] != CF_OK) && stats.finished == TASKS);
    CHECK(stats.timed_out == (ended[0] == CF_EDEADLINE));
}

const scenario process_killed = {.name = "process_killed",
                                 .set_up = set_up_killed,
                                 .check = check_killed,
                                 .bound = 0,
                                 .deaths = true,
                                 .lazy_clock = true};

/* ---- all workers are killed, and pending tasks cancelled ------------------------------------- */

static void kill_workers(void *context) {
    (void)context;
    CHECK(cf_executor_kill_workers(executor) == CF_OK);
    see(0);
    end();
}

static void set_up_all_killed(void) {
    processes_begin(1, plain, NOBODY_DIES, kill_workers);
    submit(0, 1);
}

static void check_all_killed(void) {
    CHECK(ended[0] == CF_OK || ended[0] == CF_EWORKER || ended[0] == CF_ECANCELLED);
    CHECK(pool_runs(0) <= 1 && (ended[0] != CF_OK || pool_runs(0) == 1));
    CHECK(stats.restarts == 0 && stats.retries == 0);
}

const scenario process_all_killed = {.name = "process_all_killed",
                                     .set_up = set_up_all_killed,
                                     .check = check_all_killed,
                                     .bound = 1};

/* ---- the initializer fails, or the worker dies in it: the pool is broken --------------------- */

static int fail_to_begin(void *context, unsigned worker, void **local) {
    (void)context;
    (void)worker;
    (void)local;
    return 7;
}

static int begin_well(void *context, unsigned worker, void **local) {
    (void)context;
    (void)worker;
    (void)local;
    pool_arrive();
    return 0;
}

/* Task 0 was submitted before the worker begins, task 1 is meanwhile. */
static void submit_one_more(void *context) {
    (void)context;
    unsigned n = 1;
    cf_status status = cf_executor_submit(executor, &number_task, &n, &futures[1]);
    CHECK(status == CF_OK || status == CF_EBROKEN);
    see(0);
    ended[1] = status;
    if (status == CF_OK) {
        see(1);
    }
    end();
}

static void set_up_unfit(void) {
    processes_begin(1, (cf_pool_options){.initializer = fail_to_begin}, NOBODY_DIES,
                    submit_one_more);
    submit(0, 1);
}

static void check_unfit(void) {
    CHECK(ended[0] == CF_EBROKEN && ended[1] == CF_EBROKEN);
    CHECK(pool_runs(0) == 0 && pool_runs(1) == 0);
    CHECK(stats.failed == stats.submitted && stats.restarts == 0);
}

const scenario process_unfit = {
    .name = "process_unfit", .set_up = set_up_unfit, .check = check_unfit, .bound = 1};

static void set_up_begin(void) {
    processes_begin(1, (cf_pool_options){.initializer = begin_well}, A_WORKER_DIES,
                    submit_one_more);
    submit(0, 1);
}

/* The pool is broken if the worker died before it was ready. */
static void check_begin(void) {
    CHECK(ended[0] == CF_OK || ended[0] == CF_EBROKEN);
    CHECK(ended[1] == CF_OK || ended[1] == CF_EBROKEN || ended[1] == CF_EWORKER);
    CHECK(stats.restarts <= 1 && stats.failed <= stats.submitted);
}

const scenario process_begin = {.name = "process_begin",
                                .set_up = set_up_begin,
                                .check = check_begin,
                                .bound = 0,
                                .deaths = true};

/* ---- a submit waits for room, and a worker dies that would have made some -------------------- */

static void set_up_room(void) {
    processes_begin(1, (cf_pool_options){.max_pending = 1}, A_WORKER_DIES, submit_one_more);
    submit(0, 0);
}

static void check_room(void) {
    CHECK(ended[0] == CF_OK || ended[0] == CF_EWORKER);
    CHECK(ended[1] == CF_OK || (ended[1] == CF_EWORKER && ended[0] == CF_OK));
    CHECK(stats.submitted == TASKS && stats.restarts <= 1);
}

const scenario process_room = {
    .name = "process_room", .set_up = set_up_room, .check = check_room, .bound = 0, .deaths = true};

/* ---- each worker runs one task and retires --------------------------------------------------- */

static void set_up_retired(void) {
    processes_begin(1, (cf_pool_options){.max_tasks_per_worker = 1}, A_WORKER_DIES, see_both);
    submit(0, 1);
    submit(1, 1);
}

/* A worker retires after its task, unless it dies. The last one is not replaced if the pool is
 * stopped by then. */
static void check_retired(void) {
    CHECK(ended[0] == CF_OK && ended[1] == CF_OK);
    CHECK(stats.retired >= 1 - stats.restarts && stats.retired <= TASKS);
    CHECK(stats.restarts <= 1 && stats.retries <= stats.restarts);
}

const scenario process_retired = {.name = "process_retired",
                                  .set_up = set_up_retired,
                                  .check = check_retired,
                                  .bound = 0,
                                  .deaths = true};

/* ---- the worker dies before it has announced a task with a callback -------------------------- */

static unsigned calls;

static void note_call(cf_future *done, void *context) {
    (void)context;
    CHECK(cf_future_done(done));
    calls++;
    pool_arrive();
}

static void add_callback(void *context) {
    (void)context;
    CHECK(cf_future_add_done_callback(futures[0], note_call, NULL) == CF_OK);
    pool_await(1);
    see(0);
    end();
}

static void set_up_callback(void) {
    calls = 0;
    processes_begin(1, plain, A_WORKER_DIES, add_callback);
    submit(0, 0);
}

static void check_callback(void) {
    CHECK(calls == 1 && (ended[0] == CF_OK || ended[0] == CF_EWORKER));
}

const scenario process_callback = {.name = "process_callback",
                                   .set_up = set_up_callback,
                                   .check = check_callback,
                                   .bound = 0,
                                   .deaths = true};

/* ---- the nursery dies, and its workers with it ----------------------------------------------- */

static void set_up_broken(void) {
    processes_begin(1, plain, THE_NURSERY_DIES, submit_one_more);
    submit(0, 1);
}

/* A task that had ended before keeps its result. */
static void check_broken(void) {
    for (unsigned n = 0; n < TASKS; n++) {
        CHECK(ended[n] == CF_OK || ended[n] == CF_EBROKEN);
        CHECK(pool_runs(n) <= 1 && (ended[n] == CF_EBROKEN || pool_runs(n) == 1));
    }
    CHECK(stats.restarts == 0 && stats.retries == 0 && stats.failed <= stats.submitted);
}

const scenario process_broken = {.name = "process_broken",
                                 .set_up = set_up_broken,
                                 .check = check_broken,
                                 .bound = 1,
                                 .deaths = true};

/* A submit that waits for room is woken. */
static void set_up_broken_room(void) {
    processes_begin(1, (cf_pool_options){.max_pending = 1}, THE_NURSERY_DIES, submit_one_more);
    submit(0, 1);
}

const scenario process_broken_room = {.name = "process_broken_room",
                                      .set_up = set_up_broken_room,
                                      .check = check_broken,
                                      .bound = 1,
                                      .deaths = true};

/* ---- the worker dies, and there is no process for a successor -------------------------------- */

static void set_up_no_workers(void) {
    processes_begin(1, plain, A_WORKER_DIES, submit_one_more);
    processes_refuse_forks();
    submit(0, 1);
}

static void check_no_workers(void) {
    for (unsigned n = 0; n < TASKS; n++) {
        CHECK(ended[n] == CF_OK || ended[n] == CF_EBROKEN || (n == 1 && ended[n] == CF_EWORKER));
    }
    CHECK(stats.failed <= stats.submitted);
}

const scenario process_no_workers = {.name = "process_no_workers",
                                     .set_up = set_up_no_workers,
                                     .check = check_no_workers,
                                     .bound = 0,
                                     .deaths = true,
                                     .lazy_clock = true};

/* ---- the first submit starts a worker and waits for it --------------------------------------- */

static void submit_first(void *context) {
    (void)context;
    const cf_submit_options options = {.retries = 1};
    unsigned n = 0;
    ended[0] = cf_executor_submit_with(executor, &number_task, &n, &options, &futures[0]);
    if (ended[0] == CF_OK) {
        see(0);
    }
    end();
}

static void set_up_first(void) {
    processes_begin(0, plain, A_WORKER_DIES, submit_first);
}

static void set_up_first_broken(void) {
    processes_begin(0, plain, THE_NURSERY_DIES, submit_first);
}

static void check_first(void) {
    CHECK(ended[0] == CF_OK && stats.finished == 1 && stats.failed == 0);
}

static void check_first_broken(void) {
    CHECK(ended[0] == CF_OK || ended[0] == CF_EBROKEN);
    CHECK(pool_runs(0) <= 1 && (ended[0] == CF_EBROKEN || pool_runs(0) == 1));
}

const scenario process_first = {.name = "process_first",
                                .set_up = set_up_first,
                                .check = check_first,
                                .bound = 0,
                                .deaths = true,
                                .lazy_clock = true};
const scenario process_first_broken = {.name = "process_first_broken",
                                       .set_up = set_up_first_broken,
                                       .check = check_first_broken,
                                       .bound = 1,
                                       .deaths = true,
                                       .lazy_clock = true};

/* ---- the first submit is refused, the next is not: each hears of its own request --------------- */

static void submit_first_again(void *context) {
    const unsigned n = 0;
    CHECK(cf_executor_submit(executor, &number_task, &n, &futures[0]) == CF_EAGAIN);
    processes_allow_forks();
    submit_first(context);
}

static void set_up_first_refused(void) {
    processes_begin(0, plain, NOBODY_DIES, submit_first_again);
    processes_refuse_forks();
}

const scenario process_first_refused = {.name = "process_first_refused",
                                        .set_up = set_up_first_refused,
                                        .check = check_first,
                                        .bound = 1,
                                        .lazy_clock = true};

/* ---- a task of another process overwrites the stack of what is done ---------------------------- */

static unsigned wild;

static void overwrite(void *context) {
    (void)context;
    plat_store_seq_cst(&executor->queue.control->done, UINT32_MAX);
}

/* Both come out, whatever became of the stack; then the pool ends. */
static void see_overwritten(void *context) {
    cf_as_completed *iteration;
    cf_future *future;
    (void)context;
    CHECK(cf_as_completed_create(futures, TASKS, &iteration) == CF_OK);
    for (unsigned n = 0; n < TASKS; n++) {
        CHECK(cf_as_completed_next(iteration, CF_FOREVER, &future, NULL) == CF_OK);
    }
    cf_as_completed_destroy(iteration);
    for (unsigned n = 0; n < TASKS; n++) {
        see(n);
    }
    sim_join(wild);
    CHECK(cf_executor_shutdown(executor, true, false) == CF_OK);
    cf_executor_destroy(executor);
    CHECK(processes_are_forgotten());
}

static void set_up_overwritten(void) {
    processes_begin(1, plain, NOBODY_DIES, see_overwritten);
    submit(0, 0);
    submit(1, 0);
    wild = sim_thread("wild task", overwrite, NULL);
}

static void check_overwritten(void) {
    for (unsigned n = 0; n < TASKS; n++) {
        CHECK(ended[n] == CF_OK || ended[n] == CF_EBROKEN);
    }
}

const scenario process_overwritten = {.name = "process_overwritten",
                                      .set_up = set_up_overwritten,
                                      .check = check_overwritten,
                                      .bound = 1};
