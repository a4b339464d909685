/* Submitting, claiming, falling asleep and waking up. */
#include "scenarios.h"

/* ---- two tasks, and their results ------------------------------------------------------------ */

static void hand_off_two(void *context) {
    (void)context;
    for (unsigned i = 0; i < 2; i++) {
        pool_take_result(pool_submit(&number_task, i), i);
    }
    cf_executor_destroy(executor);
}

static void set_up_hand_off(void) {
    pool_begin(1, plain, hand_off_two);
}

const scenario queue_hand_off = {
    .name = "queue_hand_off", .set_up = set_up_hand_off, .check = check_two_ran, .bound = 3};

static void submit_two(void *context) {
    (void)context;
    cf_future *first = pool_submit(&number_task, 0);
    cf_future *second = pool_submit(&number_task, 1);
    pool_take_result(second, 1);
    pool_take_result(first, 0);
    cf_executor_destroy(executor);
}

static void set_up_one_worker(void) {
    pool_begin(1, plain, submit_two);
}

static void set_up_two_workers(void) {
    pool_begin(2, plain, submit_two);
}

const scenario queue_one_worker = {
    .name = "queue_one_worker", .set_up = set_up_one_worker, .check = check_two_ran, .bound = 3};
const scenario queue_two_workers = {
    .name = "queue_two_workers", .set_up = set_up_two_workers, .check = check_two_ran, .bound = 2};
const scenario queue_fences = {.name = "queue_fences",
                               .set_up = set_up_one_worker,
                               .check = check_two_ran,
                               .bound = 3,
                               .fences = true};

/* ---- two tasks that wait for each other: each needs a worker while the other runs ------------ */

static void submit_two_that_meet(void *context) {
    (void)context;
    pool_meet(2);
    cf_future *first = pool_submit(&meeting_task, 0);
    cf_future *second = pool_submit(&meeting_task, 1);
    pool_take_result(first, 0);
    pool_take_result(second, 1);
    cf_executor_destroy(executor);
}

static void set_up_meeting(void) {
    pool_begin(2, plain, submit_two_that_meet);
}

const scenario queue_meeting = {
    .name = "queue_meeting", .set_up = set_up_meeting, .check = check_two_ran, .bound = 2};

/* ---- no more than one may be pending: submit waits for room ---------------------------------- */

static void set_up_room(void) {
    pool_begin(1, (cf_pool_options){.max_pending = 1}, submit_two);
}

const scenario queue_room = {
    .name = "queue_room", .set_up = set_up_room, .check = check_two_ran, .bound = 3};
const scenario queue_room_fences = {.name = "queue_room_fences",
                                    .set_up = set_up_room,
                                    .check = check_two_ran,
                                    .bound = 3,
                                    .fences = true};

/* Room is made when a task begins, not only when one ends. */
static void set_up_room_meeting(void) {
    pool_begin(2, (cf_pool_options){.max_pending = 1}, submit_two_that_meet);
}

const scenario queue_room_meeting = {.name = "queue_room_meeting",
                                     .set_up = set_up_room_meeting,
                                     .check = check_two_ran,
                                     .bound = 2};
