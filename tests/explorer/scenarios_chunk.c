/* Items that travel together: every item runs once, also if the caller takes it back or its worker
 * dies, and the caller reads right how it ended. */
#include "items.h"
#include "scenarios.h"

#include "cfutures/batch/piece.h"
#include "cfutures/worker/chunk.h"
#include "cfutures/worker/context.h"

#include <string.h>

/* ---- a chunk alone: a worker runs it while the caller reads it, or takes items back ----------- */

enum {
    ITEMS = 4,
    ERROR = 7,
    SHORT = 4 /* bytes */
};

static _Alignas(64) unsigned char argument[sizeof(cfi_chunk_header) + 8 * ITEMS];
static _Alignas(64) unsigned char result[sizeof(cfi_chunk_progress) + 16 * ITEMS];
static unsigned worker; /* thread */

static cfi_chunk_header *header(void) {
    return (cfi_chunk_header *)(void *)argument;
}

static cfi_chunk_progress *progress(void) {
    return (cfi_chunk_progress *)(void *)result;
}

static const void *argument_of(uint32_t i) {
    return cfi_chunk_args(header()) + 8 * i;
}

static void run_chunk(void *context) {
    (void)context;
    const cfi_worker runner = {.number = 0};
    cf_task_context ctx = {.worker = 0};
    cfi_worker_scope scope;
    cfi_worker_enter(&scope, &runner, NULL);
    CHECK(cfi_chunk_run(argument, result, &ctx) == 0);
    cfi_worker_leave(&scope);
}

/* The executor is only for what the tasks note. */
static void set_up_alone(cf_task_fn *run, uint32_t together, void (*other)(void *context)) {
    pool_begin_bare(1, plain);
    memset(argument, 0, sizeof argument);
    memset(result, 0, sizeof result);
    *header() = (cfi_chunk_header){.run = run,
                                   .arg_size = sizeof(unsigned),
                                   .result_size = sizeof(uint64_t),
                                   .count = ITEMS,
                                   .attempt = 1,
                                   .together = together};
    *progress() = (cfi_chunk_progress){.end = ITEMS};
    for (uint32_t i = 0; i < ITEMS; i++) {
        memcpy(cfi_chunk_args(header()) + 8 * i, &i, sizeof i);
    }
    worker = sim_thread("worker", run_chunk, NULL);
    sim_thread("caller", other, NULL);
}

/* ---- taken back ------------------------------------------------------------------------------- */

static void run_items(uint32_t from, uint32_t to) {
    for (uint32_t i = from; i < to; i++) {
        uint64_t value;
        CHECK(number_task.run(argument_of(i), &value, NULL) == 0);
    }
}

/* The worker may have stopped at an end that was put back: what it has left is the caller's too. */
static void take_back(void *context) {
    (void)context;
    uint32_t end = ITEMS;
    for (unsigned looks = 0; looks < 2; looks++) {
        uint32_t kept = cfi_chunk_take_back(progress(), end, false);
        if (kept > 0) {
            run_items(kept, end);
            end = kept;
        }
    }
    sim_join(worker);
    run_items(plat_load_acquire(&progress()->done), end);
}

static void set_up_taken_back(void) {
    set_up_alone(number_task.run, 1, take_back);
}

static void set_up_taken_back_together(void) {
    set_up_alone(number_task.run, 2, take_back);
}

static void check_each_ran(void) {
    for (unsigned i = 0; i < ITEMS; i++) {
        CHECK(pool_runs(i) == 1);
    }
}

const scenario chunk_taken_back = {
    .name = "chunk_taken_back", .set_up = set_up_taken_back, .check = check_each_ran, .bound = 4};
const scenario chunk_taken_back_together = {.name = "chunk_taken_back_together",
                                            .set_up = set_up_taken_back_together,
                                            .check = check_each_ran,
                                            .bound = 4};

/* ---- read while it runs ----------------------------------------------------------------------- */

/* The second item fails, and the third has a short result. */
static int run_varied(const void *arg, void *item_result, cf_task_context *ctx) {
    unsigned i = *(const unsigned *)arg;
    CHECK(number_task.run(arg, item_result, ctx) == 0);
    cf_task_set_result_size(ctx, i == 2 ? SHORT : sizeof(uint64_t));
    return i == 1 ? ERROR : 0;
}

/* The caller reads so when a run was declared over its time: its thread may still be in it. */
static void read_done(void *context) {
    (void)context;
    uint32_t done = plat_load_acquire(&progress()->done);
    for (uint32_t i = 0; i < done; i++) {
        cfi_chunk_ending ending = cfi_chunk_ending_of(progress(), sizeof(uint64_t), ITEMS, i);
        CHECK(ending.error == (i == 1 ? ERROR : 0));
        CHECK(ending.result_size == (i == 2 ? SHORT : sizeof(uint64_t)));
        uint64_t value;
        memcpy(&value, cfi_chunk_results(progress()) + 8 * i, sizeof value);
        CHECK(value == pool_result(i));
    }
}

static void set_up_read(void) {
    set_up_alone(run_varied, 2, read_done);
}

const scenario chunk_read = {
    .name = "chunk_read", .set_up = set_up_read, .check = check_each_ran, .bound = 4};

/* ---- its worker dies -------------------------------------------------------------------------- */

static void take_all(void *context) {
    (void)context;
    items_take_all();
    items_end();
}

static void set_up_death(unsigned retries) {
    const cf_stream_options options = {.window = 3, .chunk = 3, .retries = retries};
    pool_begin_processes(1, plain, take_all);
    items_open(&stepping_task, 3, 3, &options);
}

static void set_up_died(void) {
    set_up_death(0);
}

static void set_up_died_retried(void) {
    set_up_death(1);
}

/* The items before the lost one keep their results, and those after it are sent again. */
static void check_one_lost(void) {
    CHECK(items_count(CF_EWORKER) <= 1);
    for (unsigned n = 0; n < 3; n++) {
        cf_status status = items_status(n);
        CHECK(status == CF_OK ? pool_runs(n) == 1 : status == CF_EWORKER && pool_runs(n) <= 1);
    }
    check_freed();
}

static void check_one_retried(void) {
    CHECK(items_count(CF_OK) == 3);
    CHECK(pool_runs(0) >= 1 && pool_runs(1) >= 1 && pool_runs(2) >= 1);
    CHECK(pool_runs(0) + pool_runs(1) + pool_runs(2) <= 4);
    check_freed();
}

const scenario chunk_died = {.name = "chunk_died",
                             .set_up = set_up_died,
                             .check = check_one_lost,
                             .bound = 1,
                             .deaths = true};
const scenario chunk_died_retried = {.name = "chunk_died_retried",
                                     .set_up = set_up_died_retried,
                                     .check = check_one_retried,
                                     .bound = 1,
                                     .deaths = true};

/* ---- its items have a time limit -------------------------------------------------------------- */

static void set_up_late(void) {
    const cf_stream_options options = {.window = 2, .chunk = 2, .timeout_ns = 1000};
    pool_begin(1, plain, take_all);
    items_open(&number_task, 2, 2, &options);
}

/* An item that is over its time is not run again: its thread may still run it. */
static void check_late(void) {
    for (unsigned n = 0; n < 2; n++) {
        cf_status status = items_status(n);
        CHECK(status == CF_OK || status == CF_EDEADLINE);
        CHECK(status == CF_OK ? pool_runs(n) == 1 : pool_runs(n) <= 1);
    }
    check_freed();
}

const scenario chunk_late = {
    .name = "chunk_late", .set_up = set_up_late, .check = check_late, .bound = 1};

/* ---- shared out ------------------------------------------------------------------------------- */

enum {
    LONG_NS = 1000000 /* of an item that is worth being shared out */
};

/* One item has been run, so that the others travel together. A worker has begun the first of them (which
 * its thread, in its own time, writes once more); the other one has nothing to do. */
static void begin_chunk(unsigned together) {
    const cf_stream_options options = {.window = 4 * together}; /* as there are two workers */
    items_open(&number_task, 1 + together, 1, &options);
    pool_run_next(0);
    CHECK(items_take(0) == CF_OK);
    items_release();
    CHECK(items_take(0) == CF_ETIMEDOUT);
    pool_begin_next(0);
    const cfi_piece *last = CFI_ENTRY(items->pieces.last, cfi_piece, node);
    CHECK(last->count == together);
    plat_store_relaxed(&cfi_piece_progress_of(items, last)->begun, 1);
    sim_pass(LONG_NS);
}

static void set_up_shared_out(void) {
    pool_begin(2, plain, take_all);
    begin_chunk(3);
}

const scenario chunk_shared_out = {
    .name = "chunk_shared_out", .set_up = set_up_shared_out, .check = items_check, .bound = 1};

/* The worker is further than the caller thought: it may see an end that is put back, and stop there. */
static void set_up_stopped(void) {
    pool_begin_without_last(2, plain, take_all);
    begin_chunk(2);
}

const scenario chunk_stopped = {
    .name = "chunk_stopped", .set_up = set_up_stopped, .check = items_check, .bound = 3};

/* One of the two workers dies. */
static void set_up_died_shared_out(void) {
    pool_begin_processes(2, plain, take_all);
    begin_chunk(2);
}

const scenario chunk_died_shared_out = {.name = "chunk_died_shared_out",
                                        .set_up = set_up_died_shared_out,
                                        .check = check_one_lost,
                                        .bound = 0,
                                        .deaths = true};

/* ---- and there is room for one more task, which another submitter wants too ------------------- */

/* The chunk counts as pending as long as its worker has not counted it. */
static const cf_pool_options two_pending = {.max_pending = 2};

static void set_up_shared_out_room(void) {
    pool_begin_without_last(2, two_pending, items_take_all_beside_rival);
    begin_chunk(3);
    items_begin_rival(4);
}

const scenario chunk_shared_out_room = {.name = "chunk_shared_out_room",
                                        .set_up = set_up_shared_out_room,
                                        .check = items_check_beside_rival,
                                        .bound = 1};
