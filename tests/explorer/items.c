#include "items.h"

#include "cfutures/batch/piece.h"

#include "platform/atomic.h"

#include <string.h>

cf_stream *items;

static unsigned count;
static _Atomic uint32_t available; /* items that the source has by now */
static unsigned given;
static unsigned window;
static bool in_order;

static bool handed_out[ITEMS_MAX];
static cf_status statuses[ITEMS_MAX];
static unsigned handed_out_count;
static unsigned after_last; /* of those handed out: its number + 1 */

/* ---- the source ------------------------------------------------------------------------------ */

static cf_source_answer give(void *context, void *arg) {
    (void)context;
    if (given == count) {
        return CF_SOURCE_END;
    }
    if (given >= plat_load_acquire(&available)) {
        return CF_SOURCE_LATER;
    }
    CHECK(window == 0 || given - handed_out_count < window);
    *(unsigned *)arg = given++;
    return CF_SOURCE_ITEM;
}

static cf_status open_items(const cf_task *task, unsigned how_many, unsigned held_back,
                            const cf_stream_options *options) {
    count = how_many;
    plat_store_relaxed(&available, held_back);
    given = handed_out_count = after_last = 0;
    window = (unsigned)options->window;
    in_order = !options->as_completed;
    memset(handed_out, 0, sizeof handed_out);
    return cf_stream_open(executor, task, give, NULL, options, &items);
}

void items_open(const cf_task *task, unsigned how_many, unsigned held_back,
                const cf_stream_options *options) {
    CHECK(open_items(task, how_many, held_back, options) == CF_OK);
}

void items_find_no_memory(const cf_task *task, unsigned how_many,
                          const cf_stream_options *options) {
    CHECK(open_items(task, how_many, how_many, options) == CF_ENOMEM && items == NULL);
}

void items_release(void) {
    plat_store_release(&available, count);
}

/* ---- what is handed out ---------------------------------------------------------------------- */

static void check_item(const cf_stream_item *item) {
    CHECK(item->index < given && !handed_out[item->index]);
    CHECK(!in_order || item->index >= after_last);
    unsigned n = (unsigned)item->index;
    CHECK(*(const unsigned *)item->arg == n);
    if (item->exception.status == CF_OK) {
        CHECK(item->result_size == sizeof(uint64_t));
        CHECK(*(const uint64_t *)item->result == pool_result(n));
    }
    handed_out[n] = true;
    after_last = n + 1;
    handed_out_count++;
    statuses[n] = item->exception.status;
}

cf_status items_take(int64_t timeout_ns) {
    cf_stream_item item;
    cf_status status = cf_stream_next(items, timeout_ns, &item);
    if (status == CF_OK) {
        check_item(&item);
    }
    return status;
}

void items_take_all(void) {
    cf_status status;
    do {
        status = items_take(CF_FOREVER);
    } while (status == CF_OK);
    CHECK(status == CF_EEXHAUSTED);
}

void items_end(void) {
    cf_stream_close(items);
    cf_executor_destroy(executor);
}

/* ---- the rival -------------------------------------------------------------------------------- */

static unsigned rival_task, rival_thread;

static void submit_too(void *context) {
    (void)context;
    CHECK(cf_executor_submit(executor, &number_task, &rival_task, NULL) == CF_OK);
}

void items_begin_rival(unsigned n) {
    rival_task = n;
    rival_thread = sim_thread("rival", submit_too, NULL);
}

void items_take_all_beside_rival(void *context) {
    (void)context;
    items_take_all();
    sim_join(rival_thread);
    items_end();
}

void items_check_beside_rival(void) {
    CHECK(pool_runs(rival_task) == 1);
    items_check();
}

/* ---- what became of the items ------------------------------------------------------------------ */

unsigned items_done(void) {
    unsigned done = 0;
    for (const cfi_piece *piece = cfi_piece_first(items); piece != NULL;
         piece = cfi_piece_next(piece)) {
        const cf_future *future = piece->watch.future;
        if (future != NULL &&
            cfi_word_phase(plat_load_acquire(&cfi_slot_of(future)->word)) == CFI_FINISHED) {
            done += plat_load_acquire(&cfi_piece_progress_of(items, piece)->done);
        }
    }
    return done;
}

bool items_was_handed_out(unsigned n) {
    return handed_out[n];
}

cf_status items_status(unsigned n) {
    CHECK(handed_out[n]);
    return statuses[n];
}

unsigned items_count(cf_status status) {
    unsigned found = 0;
    for (unsigned n = 0; n < count; n++) {
        found += handed_out[n] && statuses[n] == status;
    }
    return found;
}

void items_check(void) {
    for (unsigned n = 0; n < count; n++) {
        CHECK(items_status(n) == CF_OK && pool_runs(n) == 1);
    }
    CHECK(pool_is_freed());
}
