#include "points_scenarios.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

notes *shared_notes;

void notes_make(void) {
    shared_notes = shared_alloc(sizeof *shared_notes);
}

/* ---- items ----------------------------------------------------------------------------------- */

typedef enum manner {
    PLAIN,
    SPINS,   /* 0.1 ms */
    FAILS,   /* returns an error */
    CRASHES, /* in its first attempt */
    LATE     /* does not return within its time */
} manner;

typedef struct item {
    uint32_t index;
    uint32_t manner;
} item;

static int run_item(const void *arg, void *result, cf_task_context *ctx) {
    item it;
    memcpy(&it, arg, sizeof it);
    atomic_fetch_add(&shared_notes->begun[it.index], 1);
    if (it.manner == SPINS) {
        spin_for(100 * MICROSECOND);
    } else if (it.manner == FAILS) {
        return EDOM;
    } else if (it.manner == CRASHES && cf_task_attempt(ctx) == 1) {
        raise(SIGSEGV);
    } else if (it.manner == LATE) {
        spin_for(LONG_WAIT);
    }
    uint64_t seed = it.index;
    const uint64_t value = random_next(&seed);
    memcpy(result, &value, sizeof value);
    return 0;
}

static const cf_task item_task = {
    .name = "item", .run = run_item, .arg_size = sizeof(item), .result_size = sizeof(uint64_t)};

int ask_serial(void *unused) {
    (void)unused;
    item all[ITEMS_MOST];
    cf_executor *serial;
    for (uint32_t i = 0; i < ITEMS_MOST; i++) {
        all[i] = (item){i, PLAIN};
    }
    if (cf_serial_create(NULL, &serial) != CF_OK ||
        cf_executor_map(serial, &item_task, all, ITEMS_MOST, shared_notes->of_serial, NULL) !=
            CF_OK) {
        tally_fault(&chaos->lost, "serial fails");
    }
    cf_executor_destroy(serial);
    return 0;
}

/* ---- ends ------------------------------------------------------------------------------------ */

/* Whether an item may end so. It was begun `begun` times. */
static bool may_end(const world *w, manner m, cf_status status, uint32_t begun) {
    switch (status) {
    case CF_OK:
        return begun > 0 && m != FAILS && m != LATE && (m != CRASHES || w->retries > 0);
    case CF_ETASK:
        return begun > 0 && m == FAILS;
    case CF_EDEADLINE:
        return m == LATE || w->limited; /* others only when the machine has held them up */
    case CF_EWORKER:
        return begun <= 1 && (w->kills || ((w->retries == 0 || w->cancels) &&
                                           (m == CRASHES || w->victim == A_WORKER)));
    case CF_EBROKEN:
        return w->breaks;
    case CF_ECANCELLED:
        return begun == 0 && w->cancels;
    default:
        return false;
    }
}

static void check_end(world *w, item it, cf_status status, uint64_t value) {
    uint32_t begun = atomic_load(&shared_notes->begun[it.index]);
    tally_add(&chaos->tasks, 1);
    if (shared_notes->ended[it.index]) {
        tally_fault(&chaos->duplicated, "%s: item %u ended twice", w->what, it.index);
    }
    shared_notes->ended[it.index] = true;
    if (begun > w->retries + 1) {
        tally_fault(&chaos->duplicated, "%s: item %u was begun %u times", w->what, it.index, begun);
    }
    if (!may_end(w, (manner)it.manner, status, begun)) {
        tally_fault(&chaos->lost, "%s: item %u, manner %u, begun %u times, ended with %s", w->what,
                    it.index, it.manner, begun, cf_status_name(status));
    }
    if (status == CF_OK && value != shared_notes->of_serial[it.index]) {
        tally_fault(&chaos->lost, "%s: item %u has %" PRIx64 " instead of serial's %" PRIx64,
                    w->what, it.index, value, shared_notes->of_serial[it.index]);
    }
    w->held_up += status == CF_EDEADLINE && it.manner != LATE;
    if (w->held_up > 1) {
        tally_fault(&chaos->lost, "%s: several items are said to be late", w->what);
    }
    w->of_workers += status == CF_EWORKER && it.manner != CRASHES;
    if (w->of_workers > w->workers && !w->kills) {
        tally_fault(&chaos->lost, "%s: more tasks ended with a worker than there were", w->what);
    }
}

/* A submit may be refused when the pool is broken or shut down. */
static bool may_be_refused(const world *w, cf_status status) {
    return status == CF_EBROKEN && w->breaks;
}

typedef struct batch {
    size_t count;
    item items[ITEMS_MOST];
    cf_future *futures[ITEMS_MOST]; /* NULL: refused */
} batch;

static item next_item(world *w, manner m) {
    return (item){w->items++ % ITEMS_MOST, m};
}

static void submit_one(world *w, batch *b, manner m, int64_t timeout_ns) {
    const cf_submit_options options = {.retries = w->retries, .timeout_ns = timeout_ns};
    item it = next_item(w, m);
    cf_status status =
        cf_executor_submit_with(w->executor, &item_task, &it, &options, &b->futures[b->count]);
    b->items[b->count++] = it;
    if (status != CF_OK && !may_be_refused(w, status)) {
        tally_fault(&chaos->lost, "%s: submit: %s", w->what, cf_status_name(status));
    }
}

static void submit_plain(world *w, batch *b, size_t count) {
    for (size_t i = 0; i < count; i++) {
        submit_one(w, b, i % 5 == 3 ? FAILS : PLAIN, 0);
    }
}

static void collect_one(world *w, batch *b, size_t i) {
    uint64_t value = 0;
    if (b->futures[i] != NULL) {
        cf_status status = cf_future_result(b->futures[i], CF_FOREVER, &value);
        check_end(w, b->items[i], status, value);
        cf_future_release(b->futures[i]);
        b->futures[i] = NULL;
    }
}

static void collect_all(world *w, batch *b) {
    for (size_t i = 0; i < b->count; i++) {
        collect_one(w, b, i);
    }
}

/* One for all of a host's batches. */
static batch *fresh_batch(void) {
    static batch b;
    memset(&b, 0, sizeof b);
    return &b;
}

void run_some(world *w) {
    batch *b = fresh_batch();
    submit_plain(w, b, 4);
    collect_all(w, b);
}

/* ---- ways of collecting ---------------------------------------------------------------------- */

static void run_results(world *w) {
    batch *b = fresh_batch();
    submit_plain(w, b, 24);
    collect_all(w, b);
}

static void run_completions(world *w) {
    batch *b = fresh_batch();
    cf_as_completed *completions;
    cf_future *future;
    size_t index, handed_out = 0;
    submit_plain(w, b, 24);
    size_t count = 0;
    for (size_t i = 0; i < b->count; i++) { /* those that were not refused */
        if (b->futures[i] != NULL) {
            b->items[count] = b->items[i];
            b->futures[count++] = b->futures[i];
        }
    }
    b->count = count;
    if (cf_as_completed_create(b->futures, count, &completions) != CF_OK) {
        tally_fault(&chaos->lost, "%s: as_completed fails", w->what);
        return;
    }
    while (cf_as_completed_next(completions, CF_FOREVER, &future, &index) == CF_OK) {
        handed_out++;
        collect_one(w, b, index);
    }
    cf_as_completed_destroy(completions);
    if (handed_out != count) {
        tally_fault(&chaos->lost, "%s: %zu of %zu were handed out", w->what, handed_out, count);
    }
}

static void run_waits(world *w) {
    batch *b = fresh_batch();
    size_t done;
    submit_plain(w, b, 8);
    for (size_t i = 0; i < b->count; i++) {
        if (b->futures[i] == NULL) {
            collect_all(w, b);
            return;
        }
    }
    cf_wait(b->futures, b->count, CF_FIRST_COMPLETED, CF_FOREVER, &done);
    if (done == 0) {
        tally_fault(&chaos->lost, "%s: cf_wait returned before any task was done", w->what);
    }
    cf_wait(b->futures, b->count, CF_ALL_COMPLETED, CF_FOREVER, &done);
    if (done != b->count) {
        tally_fault(&chaos->lost, "%s: cf_wait returned with %zu of 8 done", w->what, done);
    }
    collect_all(w, b);
}

static void note_call(cf_future *future, void *context) {
    (void)future;
    counter_add(context, 1);
}

static void run_callbacks(world *w) {
    batch *b = fresh_batch();
    counter *calls = shared_alloc(sizeof *calls);
    uint32_t added = 0;
    submit_plain(w, b, 8);
    for (size_t i = 0; i < b->count; i++) {
        if (b->futures[i] != NULL) {
            if (cf_future_add_done_callback(b->futures[i], note_call, calls) != CF_OK) {
                tally_fault(&chaos->lost, "%s: add_done_callback fails", w->what);
            }
            added++;
        }
    }
    collect_all(w, b);
    if (!counter_wait(calls, added)) {
        tally_fault(&chaos->lost, "%s: a callback was not called", w->what);
    }
    cf_executor_shutdown(w->executor, true, false);
    if (counter_get(calls) != added) {
        tally_fault(&chaos->duplicated, "%s: %u calls of %u callbacks", w->what, counter_get(calls),
                    added);
    }
    shared_free(calls, sizeof *calls);
}

static void map(world *w, size_t count, size_t plain_first, const cf_map_options *options) {
    static item items[ITEMS_MOST];
    static uint64_t values[ITEMS_MOST];
    static cf_exception exceptions[ITEMS_MOST];
    cf_map_options mine = *options;
    for (size_t i = 0; i < count; i++) {
        items[i] = next_item(w, i % 16 == 9 ? FAILS : i < plain_first ? PLAIN : SPINS);
    }
    if (mine.timeout_ns > 0) {
        items[count / 2].manner = LATE;
    }
    mine.retries = w->retries;
    mine.exceptions = exceptions;
    memset(exceptions, 0xff, sizeof exceptions);
    cf_executor_map(w->executor, &item_task, items, count, values, &mine);
    for (size_t i = 0; i < count; i++) {
        check_end(w, items[i], exceptions[i].status, values[i]);
    }
}

static void run_map(world *w) {
    map(w, 300, 300, &(cf_map_options){0});
}

static void run_chunks(world *w) {
    map(w, 60, 60, &(cf_map_options){.chunk = 7});
}

/* The last chunks take long, and idle workers get a part of them. */
static void run_shares(world *w) {
    map(w, 900, 840, &(cf_map_options){0});
}

typedef struct source {
    world *world;
    size_t left;
} source;

static cf_source_answer next_of_source(void *context, void *arg) {
    source *from = context;
    if (from->left == 0) {
        return CF_SOURCE_END;
    }
    from->left--;
    item it = next_item(from->world, from->left % 8 == 3 ? FAILS : PLAIN);
    memcpy(arg, &it, sizeof it);
    return CF_SOURCE_ITEM;
}

static void stream(world *w, bool as_completed) {
    cf_stream *items;
    cf_stream_item got;
    source from = {.world = w, .left = 60};
    const cf_stream_options options = {
        .as_completed = as_completed, .window = 16, .chunk = 3, .retries = w->retries};
    uint64_t next = 0;
    cf_status status =
        cf_stream_open(w->executor, &item_task, next_of_source, &from, &options, &items);
    if (status != CF_OK) {
        if (!may_be_refused(w, status)) {
            tally_fault(&chaos->lost, "%s: stream_open: %s", w->what, cf_status_name(status));
        }
        return;
    }
    while ((status = cf_stream_next(items, CF_FOREVER, &got)) == CF_OK) {
        item it;
        uint64_t value = 0;
        memcpy(&it, got.arg, sizeof it);
        if (got.result != NULL) {
            memcpy(&value, got.result, sizeof value);
        }
        check_end(w, it, got.exception.status, value);
        if (!as_completed && got.index != next++) {
            tally_fault(&chaos->lost, "%s: items out of order", w->what);
        }
    }
    if (status != CF_EEXHAUSTED && !may_be_refused(w, status)) {
        tally_fault(&chaos->lost, "%s: stream_next: %s", w->what, cf_status_name(status));
    }
    cf_stream_close(items);
}

static void run_stream(world *w) {
    stream(w, false);
}

static void run_stream_completed(world *w) {
    stream(w, true);
}

/* Nobody waits for the futures. */
static void run_forgotten(world *w) {
    item items[24];
    const cf_submit_options options = {.retries = w->retries};
    unsigned missing = 0;
    for (size_t i = 0; i < COUNT_OF(items); i++) {
        items[i] = next_item(w, PLAIN);
    }
    cf_executor_submit_many(w->executor, &item_task, items, COUNT_OF(items), &options, NULL, NULL);
    cf_executor_shutdown(w->executor, true, false);
    for (size_t i = 0; i < COUNT_OF(items); i++) {
        uint32_t begun = atomic_load(&shared_notes->begun[items[i].index]);
        tally_add(&chaos->tasks, 1);
        missing += begun == 0;
        if (begun > w->retries + 1) {
            tally_fault(&chaos->duplicated, "%s: item %zu was begun %u times", w->what, i, begun);
        }
    }
    if (missing > (w->victim == A_WORKER && w->retries == 0 ? w->workers : 0) && !w->breaks) {
        tally_fault(&chaos->lost, "%s: %u were never begun", w->what, missing);
    }
}

/* ---- ways of running ------------------------------------------------------------------------- */

static void run_limits(world *w) {
    batch *b = fresh_batch();
    for (size_t i = 0; i < 6; i++) {
        submit_one(w, b, i == 2 ? LATE : PLAIN, i == 2 ? 3 * MILLISECOND : LONG_WAIT);
    }
    collect_all(w, b);
    w->limited = true;
    map(w, 12, 12, &(cf_map_options){.chunk = 4, .timeout_ns = 30 * MILLISECOND});
    w->limited = false;
}

static void retire(cf_pool_options *options) {
    options->max_tasks_per_worker = 2;
}

static void make_little_room(cf_pool_options *options) {
    options->max_pending = 1;
}

/* Workers fall asleep in between. */
static void run_hand_off(world *w) {
    for (int i = 0; i < 6; i++) {
        batch *b = fresh_batch();
        submit_one(w, b, PLAIN, 0);
        collect_all(w, b);
        usleep(i % 2 == 0 ? 300 : 10);
    }
}

static void run_deaths(world *w) {
    batch *b = fresh_batch();
    for (size_t i = 0; i < 8; i++) {
        submit_one(w, b, i % 3 == 1 ? CRASHES : PLAIN, 0);
    }
    collect_all(w, b);
}

static void run_cancelled(world *w) {
    batch *b = fresh_batch();
    w->cancels = true;
    for (size_t i = 0; i < 12; i++) {
        submit_one(w, b, SPINS, 0);
    }
    cf_executor_shutdown(w->executor, false, true);
    collect_all(w, b);
}

static void run_killed(world *w) {
    batch *b = fresh_batch();
    w->cancels = true;
    w->kills = true;
    for (size_t i = 0; i < 8; i++) {
        submit_one(w, b, SPINS, 0);
    }
    cf_executor_kill_workers(w->executor);
    collect_all(w, b);
}

const scenario scenarios[] = {
    {.name = "results", .run = run_results},
    {.name = "completions", .run = run_completions},
    {.name = "waits", .run = run_waits},
    {.name = "callbacks", .run = run_callbacks, .shuts_down = true},
    {.name = "map", .run = run_map},
    {.name = "chunks", .run = run_chunks},
    {.name = "shares", .run = run_shares},
    {.name = "shares_late", /* the chunk is over when its items are to be taken back */
     .run = run_shares,
     .rule = "pause:caller@point=take_back.reserved,us=12000,times=2"},
    {.name = "stream", .run = run_stream},
    {.name = "stream_completed", .run = run_stream_completed},
    {.name = "forgotten", .run = run_forgotten, .shuts_down = true},
    {.name = "limits", .run = run_limits},
    {.name = "retiring", .options = retire, .run = run_results},
    {.name = "room", .options = make_little_room, .run = run_results},
    {.name = "hand_off", .run = run_hand_off},
    {.name = "deaths", .run = run_deaths},
    {.name = "broken",
     .run = run_results,
     .rule = "kill:nursery@point=publish.done,visit=5",
     .breaks = true},
    {.name = "cancelled", .run = run_cancelled, .shuts_down = true},
    {.name = "killed", .run = run_killed, .shuts_down = true},
};
const size_t scenario_count = COUNT_OF(scenarios);
