/* Submitting, claiming, falling asleep and waking up. */
#include "scenarios.h"

static cf_executor *executor;

static void check_all_ran(unsigned tasks) {
    for (unsigned i = 0; i < tasks; i++) {
        CHECK(pool_runs(i) == 1);
    }
    CHECK(pool_is_freed());
}

/* ---- two tasks, one after the other, and their results --------------------------------------- */

static void hand_off_two(void *context) {
    (void)context;
    for (unsigned i = 0; i < 2; i++) {
        pool_take_result(pool_submit(executor, &number_task, i), i);
    }
    cf_executor_destroy(executor);
}

/* Two at once: the worker may or may not sleep between them. */
static void submit_two(void *context) {
    (void)context;
    cf_future *first = pool_submit(executor, &number_task, 0);
    cf_future *second = pool_submit(executor, &number_task, 1);
    pool_take_result(second, 1);
    pool_take_result(first, 0);
    cf_executor_destroy(executor);
}

static void begin_with(unsigned workers, void (*caller)(void *context)) {
    pool_begin();
    executor = pool_create(workers, false, (cf_pool_options){0});
    pool_start_workers(executor);
    sim_thread("caller", caller, NULL);
}

static void hand_off_set_up(void) {
    begin_with(1, hand_off_two);
}

static void one_worker_set_up(void) {
    begin_with(1, submit_two);
}

static void two_workers_set_up(void) {
    begin_with(2, submit_two);
}

static void two_check(void) {
    check_all_ran(2);
}

const scenario queue_hand_off = {
    .name = "queue_hand_off", .set_up = hand_off_set_up, .check = two_check, .bound = 3};
const scenario queue_one_worker = {
    .name = "queue_one_worker", .set_up = one_worker_set_up, .check = two_check, .bound = 3};
const scenario queue_two_workers = {
    .name = "queue_two_workers", .set_up = two_workers_set_up, .check = two_check, .bound = 2};
const scenario queue_fences = {.name = "queue_fences",
                               .set_up = one_worker_set_up,
                               .check = two_check,
                               .bound = 3,
                               .fences = true};

/* ---- two tasks that wait for each other: each needs a worker while the other runs ------------ */

static void submit_two_that_meet(void *context) {
    (void)context;
    pool_meet(2);
    cf_future *first = pool_submit(executor, &meeting_task, 0);
    cf_future *second = pool_submit(executor, &meeting_task, 1);
    pool_take_result(first, 0);
    pool_take_result(second, 1);
    cf_executor_destroy(executor);
}

static void meeting_set_up(void) {
    begin_with(2, submit_two_that_meet);
}

const scenario queue_meeting = {
    .name = "queue_meeting", .set_up = meeting_set_up, .check = two_check, .bound = 2};
