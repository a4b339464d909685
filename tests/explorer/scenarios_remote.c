/* An executor whose tasks run elsewhere: one thread, the manager, begins tasks for all workers and settles
 * them (src/executors/mpi). A run is cut short there, and its task is put back, while the caller cancels it,
 * waits for it or shuts the executor down. */
#include "scenarios.h"

#include "cfutures/executor.h"
#include "cfutures/queue/completion.h"
#include "cfutures/worker/count.h"

static cf_future *future;
static bool cancelled;

static cfi_slot *begin(unsigned worker) {
    cfi_claim claim = {.worker = worker, .max = 1};
    uint64_t word;
    cfi_slot *slot = cfi_queue_claim(&executor->queue, &claim, &word);
    if (slot != NULL) {
        plat_bump_owned(&executor->queue.records[worker].begun, 1);
    }
    plat_store_release(&executor->queue.records[worker].current, 0);
    return slot;
}

/* Settles what an answer says. */
static void settle(unsigned worker, cfi_slot *slot) {
    cfi_record *record = &executor->queue.records[worker];
    uint64_t word;
    *(uint64_t *)cfi_slot_result(slot, executor->queue.base) = pool_result(0);
    slot->outcome = CF_OK;
    slot->detail = (int32_t)slot->result_size;
    cfi_count_run(record, false, false);
    CHECK(cfi_slot_settle(slot, worker, false, &word));
    cfi_completion_announce(&executor->queue, slot, word);
    cfi_confirm_run(record, false, false);
}

static void settle_all(unsigned worker) {
    cfi_slot *slot;
    while ((slot = begin(worker)) != NULL) {
        settle(worker, slot);
    }
}

/* The first run of the task is cut short. */
static void cut_first(cfi_cut cut) {
    cfi_slot *slot = begin(0);
    if (slot != NULL) {
        const uint32_t index = cfi_queue_index(&executor->queue, slot);
        CHECK(cfi_executor_run_cut(executor, 0, index, cut, 0));
    }
}

/* Then all that is pending is run. */
static void manage_unbegun(void *context) {
    (void)context;
    cut_first(CFI_CUT_UNBEGUN);
    settle_all(1);
}

static void manage_returned(void *context) {
    (void)context;
    cut_first(CFI_CUT_RETURNED);
    settle_all(1);
}

/* Then no rank is there to run it. */
static void manage_last(void *context) {
    (void)context;
    cut_first(CFI_CUT_RETURNED);
}
static void cancel(void *context) {
    (void)context;
    cancelled = cf_future_cancel(future);
}

static void shut_down(void *context) {
    (void)context;
    CHECK(cf_executor_shutdown(executor, false, true) == CF_OK);
}

static void await(void *context) {
    (void)context;
    uint64_t value = 0;
    const cf_status status = cf_future_result(future, CF_FOREVER, &value);
    CHECK(status == CF_ECANCELLED || (status == CF_OK && value == pool_result(0)));
}

static void set_up(void (*manage)(void *context), void (*other)(void *context)) {
    cancelled = false;
    pool_begin_remote(2, plain);
    future = pool_submit(&number_task, 0);
    sim_thread("manager", manage, NULL);
    sim_thread("other", other, NULL);
    sim_thread("waiter", await, NULL);
}

static void set_up_unbegun(void) {
    set_up(manage_unbegun, cancel);
}

static void set_up_returned(void) {
    set_up(manage_returned, cancel);
}

static void set_up_shut_down(void) {
    set_up(manage_last, shut_down);
}

static void check_attempts(unsigned begun_elsewhere) {
    cf_info info;
    cf_stats stats;
    CHECK(cf_future_info(future, &info) == CF_OK);
    CHECK(cf_executor_stats(executor, &stats) == CF_OK);
    CHECK(stats.pending == 0 && stats.running == 0 && stats.submitted == 1);
    CHECK(stats.finished + stats.cancelled == 1);
    CHECK(info.state == (stats.cancelled != 0 ? CF_CANCELLED : CF_FINISHED));
    CHECK(info.attempts <= begun_elsewhere + 1 && stats.retries <= begun_elsewhere);
    CHECK(!cancelled || info.state == CF_CANCELLED);
}

static void check_unbegun(void) {
    check_attempts(0);
}

static void check_returned(void) {
    check_attempts(1);
}

const scenario remote_unbegun = {
    .name = "remote_unbegun", .set_up = set_up_unbegun, .check = check_unbegun, .bound = 3};
const scenario remote_returned = {
    .name = "remote_returned", .set_up = set_up_returned, .check = check_returned, .bound = 3};
const scenario remote_shut_down = {
    .name = "remote_shut_down", .set_up = set_up_shut_down, .check = check_returned, .bound = 3};
