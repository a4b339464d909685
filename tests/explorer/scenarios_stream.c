/* Streams: in both orders, with a source that has nothing for a while, and stopped or closed while items
 * run. That no more are taken than the window allows, the source checks. */
#include "items.h"
#include "scenarios.h"

static unsigned other; /* thread */

/* ---- all items, in the source's order or as they are done ------------------------------------- */

static void take_all(void *context) {
    (void)context;
    items_take_all();
    items_end();
}

static void open_three(bool as_completed) {
    const cf_stream_options options = {.as_completed = as_completed, .window = 2, .chunk = 1};
    items_open(&number_task, 3, 3, &options);
}

static void set_up_ordered(void) {
    pool_begin(1, plain, take_all);
    open_three(false);
}

static void set_up_two_workers(void) {
    pool_begin(2, plain, take_all);
    open_three(false);
}

static void set_up_as_completed(void) {
    pool_begin(2, plain, take_all);
    open_three(true);
}

const scenario stream_ordered = {
    .name = "stream_ordered", .set_up = set_up_ordered, .check = items_check, .bound = 3};
const scenario stream_two_workers = {
    .name = "stream_two_workers", .set_up = set_up_two_workers, .check = items_check, .bound = 1};
const scenario stream_as_completed = {
    .name = "stream_as_completed", .set_up = set_up_as_completed, .check = items_check, .bound = 1};

/* ---- a source that has nothing for a while ---------------------------------------------------- */

static void feed(void *context) {
    (void)context;
    items_release();
    pool_arrive();
}

static void take_when_fed(void *context) {
    (void)context;
    cf_status status;
    do {
        status = items_take(CF_FOREVER);
        if (status == CF_ELATER) {
            pool_await(1);
        }
    } while (status == CF_OK || status == CF_ELATER);
    CHECK(status == CF_EEXHAUSTED);
    sim_join(other);
    items_end();
}

static void set_up_later(void) {
    const cf_stream_options options = {.window = 3, .chunk = 2};
    pool_begin(1, plain, take_when_fed);
    other = sim_thread("feeder", feed, NULL);
    items_open(&number_task, 3, 1, &options);
}

const scenario stream_later = {
    .name = "stream_later", .set_up = set_up_later, .check = items_check, .bound = 2};

/* ---- stopped, or closed, while items run ------------------------------------------------------ */

/* Nothing is begun any more, and nothing that was done is lost. */
static void stop_and_take(void *context) {
    (void)context;
    unsigned done = items_done();
    cf_stream_stop(items);
    CHECK(pool_pending() == 0);
    items_take_all();
    CHECK(items_count(CF_OK) >= done);
    items_end();
}

static void close_at_once(void *context) {
    (void)context;
    cf_stream_close(items);
    CHECK(pool_pending() == 0);
    cf_executor_destroy(executor);
}

static void set_up_ending(void (*caller)(void *context)) {
    pool_begin(1, plain, caller);
    open_three(false);
}

static void set_up_stopped(void) {
    set_up_ending(stop_and_take);
}

static void set_up_closed(void) {
    set_up_ending(close_at_once);
}

static void check_ran_at_most_once(void) {
    for (unsigned n = 0; n < 3; n++) {
        CHECK(pool_runs(n) <= 1);
        CHECK(!items_was_handed_out(n) || (items_status(n) == CF_OK && pool_runs(n) == 1));
    }
    check_freed();
}

const scenario stream_stopped = {.name = "stream_stopped",
                                 .set_up = set_up_stopped,
                                 .check = check_ran_at_most_once,
                                 .bound = 3};
const scenario stream_closed = {
    .name = "stream_closed", .set_up = set_up_closed, .check = check_ran_at_most_once, .bound = 4};

/* What a worker that died has left of a chunk is not sent again by a stream that stops. */
static void set_up_stopped_death(void) {
    const cf_stream_options options = {.window = 3, .chunk = 3};
    pool_begin_processes(1, plain, stop_and_take);
    items_open(&stepping_task, 3, 3, &options);
}

static void check_at_most_one_lost(void) {
    CHECK(items_count(CF_EWORKER) <= 1);
    for (unsigned n = 0; n < 3; n++) {
        CHECK(pool_runs(n) <= 1);
        CHECK(!items_was_handed_out(n) || items_status(n) == CF_EWORKER ||
              (items_status(n) == CF_OK && pool_runs(n) == 1));
    }
    check_freed();
}

const scenario stream_stopped_death = {.name = "stream_stopped_death",
                                       .set_up = set_up_stopped_death,
                                       .check = check_at_most_one_lost,
                                       .bound = 1,
                                       .deaths = true};

/* ---- that finds no memory to watch its chunks -------------------------------------------------- */

static void take_after_refusals(void *context) {
    const cf_stream_options options = {.window = 2, .chunk = 2};
    (void)context;
    for (unsigned which = 1; which <= 2; which++) { /* the watch asks first, then the task table */
        sim_refuse_realloc(which);
        items_find_no_memory(&number_task, 3, &options);
    }
    CHECK(pool_runs(0) == 0);
    items_open(&number_task, 3, 3, &options);
    items_take_all();
    items_end();
}

static void set_up_unwatched(void) {
    pool_begin(1, plain, take_after_refusals);
}

const scenario stream_unwatched = {
    .name = "stream_unwatched", .set_up = set_up_unwatched, .check = items_check, .bound = 2};

/* ---- with room for one task, which another submitter wants too -------------------------------- */

static const cf_pool_options one_pending = {.max_pending = 1};

static void set_up_room(void) {
    pool_begin(1, one_pending, items_take_all_beside_rival);
    items_begin_rival(3);
    open_three(false);
}

const scenario stream_room = {
    .name = "stream_room", .set_up = set_up_room, .check = items_check_beside_rival, .bound = 1};
