/* Submitting, claiming, falling asleep and waking up. */
#include "scenarios.h"

#include "platform/futex.h"

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
    .name = "queue_hand_off", .set_up = set_up_hand_off, .check = check_two_ran, .bound = 2};

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
    .name = "queue_one_worker", .set_up = set_up_one_worker, .check = check_two_ran, .bound = 2};
const scenario queue_two_workers = {
    .name = "queue_two_workers", .set_up = set_up_two_workers, .check = check_two_ran, .bound = 1};
const scenario queue_fences = {.name = "queue_fences",
                               .set_up = set_up_one_worker,
                               .check = check_two_ran,
                               .bound = 2,
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
    .name = "queue_meeting", .set_up = set_up_meeting, .check = check_two_ran, .bound = 1};

/* One worker has run a task and searches for the next, the other sleeps: it must be woken for the
 * one that is submitted when the searcher has begun that. */
static void submit_one_after_it_began(void *context) {
    (void)context;
    pool_meet(2);
    pool_take_result(pool_submit(&number_task, 2), 2);
    cf_future *first = pool_submit(&meeting_task, 0);
    pool_await(1);
    cf_future *second = pool_submit(&meeting_task, 1);
    pool_take_result(first, 0);
    pool_take_result(second, 1);
    cf_executor_destroy(executor);
}

static void set_up_meeting_later(void) {
    pool_begin(2, plain, submit_one_after_it_began);
}

const scenario queue_meeting_later = {.name = "queue_meeting_later",
                                      .set_up = set_up_meeting_later,
                                      .check = check_two_ran,
                                      .bound = 1};

/* ---- one searches, one sleeps: two tasks wake both ------------------------------------------- */

static void begin_one(unsigned worker, bool searching) {
    cfi_claim claim = {.worker = worker, .searching = searching};
    uint64_t word;
    CHECK(cfi_queue_next(&executor->queue, &claim, &word) != NULL);
    pool_arrive();
    pool_await(2); /* it runs as long as the other has not begun */
}

static void search_and_begin(void *context) {
    (void)context;
    begin_one(0, true);
}

static void sleep_and_begin(void *context) {
    (void)context;
    begin_one(1, false);
}

static void submit_both(void *context) {
    (void)context;
    pool_submit(&number_task, 0);
    pool_submit(&number_task, 1);
}

/* As if each worker's life had begun. */
static void begin_awake(unsigned workers) {
    pool_begin_bare(workers, plain);
    for (unsigned i = 0; i < workers; i++) {
        plat_store_relaxed(&executor->queue.records[i].awake_since_ns, 1);
    }
}

static void set_up_searcher(void) {
    begin_awake(2);
    plat_store_relaxed(&executor->queue.control->searcher, 1);
    sim_thread("sleeper", sleep_and_begin, NULL);
    sim_thread("searcher", search_and_begin, NULL);
    sim_thread("submitter", submit_both, NULL);
}

static void check_nothing(void) {
}

const scenario queue_searcher = {
    .name = "queue_searcher", .set_up = set_up_searcher, .check = check_nothing, .bound = 2};

/* ---- one was woken, one searches, one sleeps: three tasks wake all ---------------------------- */

/* It goes on as if its task never ended. */
static void begin_and_stay(cfi_claim claim) {
    uint64_t word;
    CHECK(cfi_queue_next(&executor->queue, &claim, &word) != NULL);
}

static void go_on_woken(void *context) {
    (void)context;
    begin_and_stay((cfi_claim){.worker = 0, .woken = true});
}

/* In its search, before it looks for work. */
static void go_on_searching(void *context) {
    uint32_t armed = CFI_ARMED;
    (void)context;
    plat_cas(&executor->queue.control->need_wake, &armed, CFI_SEARCHED);
    begin_and_stay((cfi_claim){.worker = 1, .searching = true});
}

static void go_on_sleeping(void *context) {
    (void)context;
    plat_futex_wait(&executor->queue.control->wake_count, 0, -1, false);
    begin_and_stay((cfi_claim){.worker = 2, .woken = true});
}

static void submit_third(void *context) {
    (void)context;
    pool_submit(&number_task, 2);
}

static void set_up_three(void) {
    begin_awake(3);
    pool_submit(&number_task, 0);
    pool_submit(&number_task, 1);
    plat_store_relaxed(&executor->queue.control->searcher, 2);
    sim_thread("woken", go_on_woken, NULL);
    sim_thread("searcher", go_on_searching, NULL);
    sim_thread("sleeper", go_on_sleeping, NULL);
    sim_thread("submitter", submit_third, NULL);
}

const scenario queue_three = {
    .name = "queue_three", .set_up = set_up_three, .check = check_nothing, .bound = 2};

/* ---- a worker claims several, and the first of them waits for the next ----------------------- */

enum {
    STOLEN = 4 /* two for each worker's share */
};

static cf_future *claimed[STOLEN];

static void take_claimed(void *context) {
    (void)context;
    for (unsigned i = 0; i < STOLEN; i++) {
        pool_take_result(claimed[i], i);
    }
    cf_executor_destroy(executor);
}

static void set_up_stolen(void) {
    pool_begin(2, plain, take_claimed);
    pool_meet(2);
    for (unsigned i = 0; i < STOLEN; i++) {
        claimed[i] = pool_submit(i < 2 ? &meeting_task : &number_task, i);
    }
}

static void check_stolen_ran(void) {
    check_two_ran();
    CHECK(pool_runs(2) == 1 && pool_runs(3) == 1);
}

const scenario queue_stolen = {
    .name = "queue_stolen", .set_up = set_up_stolen, .check = check_stolen_ran, .bound = 1};

/* ---- no more than one may be pending: submit waits for room ---------------------------------- */

static void set_up_room(void) {
    pool_begin(1, (cf_pool_options){.max_pending = 1}, submit_two);
}

const scenario queue_room = {
    .name = "queue_room", .set_up = set_up_room, .check = check_two_ran, .bound = 2};
const scenario queue_room_fences = {.name = "queue_room_fences",
                                    .set_up = set_up_room,
                                    .check = check_two_ran,
                                    .bound = 2,
                                    .fences = true};

/* Room is made when a task begins, not only when one ends. */
static void set_up_room_meeting(void) {
    pool_begin(2, (cf_pool_options){.max_pending = 1}, submit_two_that_meet);
}

const scenario queue_room_meeting = {.name = "queue_room_meeting",
                                     .set_up = set_up_room_meeting,
                                     .check = check_two_ran,
                                     .bound = 1};
