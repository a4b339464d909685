#include "steps_ways.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

round_notes *in_round;

enum {
    TASKS = TASKS_MOST, /* enough for a worker to claim several */
    ITEMS = 9,
    MAP_CHUNK = 4,
    STREAM_CHUNK = 2
};

/* ---- tasks ----------------------------------------------------------------------------------- */

static uint64_t value_of(uint64_t index) {
    uint64_t seed = index;
    return random_next(&seed);
}

static int run_indexed(const void *arg, void *result, cf_task_context *ctx) {
    uint64_t index;
    memcpy(&index, arg, sizeof index);
    uint32_t before = atomic_fetch_add(&in_round->begun[index], 1);
    (void)ctx;
    if (index != in_round->gated) {
        if (atomic_load(&in_round->runner) == getpid()) {
            counter_add(&in_round->next, 1);
        }
    } else if (before == 0) {
        atomic_store(&in_round->runner, getpid());
        counter_add(&in_round->entered, 1);
        while (counter_get(&in_round->gate) == 0) {} /* its next steps are those of the library */
    }
    if (index > 0 && index == in_round->late) {
        spin_for(LONG_WAIT);
    }
    const uint64_t value = value_of(index);
    memcpy(result, &value, sizeof value);
    return 0;
}

static const cf_task indexed_task = {.name = "indexed",
                                     .run = run_indexed,
                                     .arg_size = sizeof(uint64_t),
                                     .result_size = sizeof(uint64_t)};

/* ---- ends ------------------------------------------------------------------------------------ */

static void check_end(const pool_kind *kind, const char *what, uint64_t index, cf_status status,
                      uint64_t value) {
    uint32_t begun = atomic_load(&in_round->begun[index]);
    bool is_late = index > 0 && index == in_round->late;
    bool may_end = false;
    switch (status) {
    case CF_OK:
        may_end = begun > 0 && !is_late;
        break;
    case CF_EDEADLINE:
        may_end = is_late; /* perhaps before its function was called: single steps take long */
        break;
    case CF_EWORKER:
        may_end = kind->retries == 0;
        in_round->of_workers++;
        break;
    case CF_EBROKEN:
        may_end = kind->may_break;
        break;
    default:
        break;
    }
    tally_add(&chaos->tasks, 1);
    if (!may_end) {
        tally_fault(&chaos->lost, "%s: task %" PRIu64 ", begun %u times, ended with %s", what,
                    index, begun, cf_status_name(status));
    } else if (status == CF_OK && value != value_of(index)) {
        tally_fault(&chaos->lost, "%s: task %" PRIu64 " has a wrong result", what, index);
    }
    if (begun > kind->retries + 1) {
        tally_fault(&chaos->duplicated, "%s: task %" PRIu64 " was begun %u times", what, index,
                    begun);
    }
}

static bool may_be_refused(const pool_kind *kind, cf_status status) {
    return kind->may_break && status == CF_EBROKEN;
}

typedef struct batch {
    size_t count;
    cf_future *futures[TASKS];
} batch;

/* Those that are refused have no future, and are the last. */
static batch submit(cf_executor *pool, const pool_kind *kind, const char *what,
                    int64_t timeout_ns) {
    cf_submit_options options = {.retries = kind->retries};
    batch b = {0};
    for (uint64_t i = 0; i < TASKS; i++) {
        options.timeout_ns = i > 0 && i == in_round->late ? 2 * MILLISECOND : timeout_ns;
        cf_status status =
            cf_executor_submit_with(pool, &indexed_task, &i, &options, &b.futures[i]);
        if (status != CF_OK) {
            if (!may_be_refused(kind, status)) {
                tally_fault(&chaos->lost, "%s: submit: %s", what, cf_status_name(status));
            }
            break;
        }
        b.count++;
    }
    return b;
}

static void collect(const pool_kind *kind, const char *what, const batch *b, size_t i) {
    uint64_t value = 0;
    cf_status status = cf_future_result(b->futures[i], CF_FOREVER, &value);
    check_end(kind, what, i, status, value);
}

static void collect_all(const pool_kind *kind, const char *what, const batch *b) {
    for (size_t i = 0; i < b->count; i++) {
        collect(kind, what, b, i);
    }
}

static void release_all(const batch *b) {
    for (size_t i = 0; i < b->count; i++) {
        cf_future_release(b->futures[i]);
    }
}

/* ---- ways ------------------------------------------------------------------------------------ */

static void use_result(cf_executor *pool, const pool_kind *kind, const char *what) {
    batch b = submit(pool, kind, what, 0);
    collect_all(kind, what, &b);
    release_all(&b);
}

/* One of them takes too long: its worker is killed, and that costs no other task. */
static void use_limits(cf_executor *pool, const pool_kind *kind, const char *what) {
    in_round->late = TASKS / 2;
    batch b = submit(pool, kind, what, 10 * LONG_WAIT);
    collect_all(kind, what, &b);
    release_all(&b);
}

/* By a task that does nothing. */
bool pool_breaks(cf_executor *pool) {
    const uint64_t index = TASKS_MOST - 1;
    const int64_t until_ns = now_ns() + 5 * SECOND;
    cf_status status = CF_OK;
    while (status != CF_EBROKEN && now_ns() < until_ns) {
        cf_future *future;
        status = cf_executor_submit(pool, &indexed_task, &index, &future);
        if (status == CF_OK) {
            cf_future_result(future, CF_FOREVER, NULL);
            cf_future_release(future);
        }
    }
    return status == CF_EBROKEN;
}

static void use_as_completed(cf_executor *pool, const pool_kind *kind, const char *what) {
    batch b = submit(pool, kind, what, 0);
    cf_as_completed *completions;
    cf_future *future;
    size_t index, handed_out = 0;
    if (cf_as_completed_create(b.futures, b.count, &completions) != CF_OK) {
        tally_fault(&chaos->lost, "%s: as_completed fails", what);
    } else {
        while (cf_as_completed_next(completions, CF_FOREVER, &future, &index) == CF_OK) {
            collect(kind, what, &b, index);
            handed_out++;
        }
        cf_as_completed_destroy(completions);
    }
    if (handed_out != b.count) {
        tally_fault(handed_out < b.count ? &chaos->lost : &chaos->duplicated,
                    "%s: %zu of %zu were handed out", what, handed_out, b.count);
    }
    release_all(&b);
}

static void use_wait(cf_executor *pool, const pool_kind *kind, const char *what) {
    batch b = submit(pool, kind, what, 0);
    size_t done = 0;
    cf_wait(b.futures, b.count, CF_FIRST_COMPLETED, CF_FOREVER, &done);
    if (done == 0 && b.count > 0) {
        tally_fault(&chaos->lost, "%s: cf_wait returned before any task was done", what);
    }
    cf_wait(b.futures, b.count, CF_ALL_COMPLETED, CF_FOREVER, &done);
    if (done != b.count) {
        tally_fault(&chaos->lost, "%s: cf_wait returned with %zu of %zu done", what, done, b.count);
    }
    collect_all(kind, what, &b);
    release_all(&b);
}

static void note_call(cf_future *future, void *context) {
    (void)future;
    counter_add(context, 1);
}

static void use_callbacks(cf_executor *pool, const pool_kind *kind, const char *what) {
    batch b = submit(pool, kind, what, 0);
    static counter calls;
    atomic_store(&calls.value, 0);
    for (size_t i = 0; i < b.count; i++) {
        if (cf_future_add_done_callback(b.futures[i], note_call, &calls) != CF_OK) {
            tally_fault(&chaos->lost, "%s: add_done_callback fails", what);
        }
    }
    if (!counter_wait(&calls, (uint32_t)b.count)) {
        tally_fault(&chaos->lost, "%s: a callback was not called", what);
    }
    collect_all(kind, what, &b);
    if (counter_get(&calls) != b.count) {
        tally_fault(&chaos->duplicated, "%s: a callback was called twice", what);
    }
    release_all(&b);
}

/* Nobody waits for a future: by the pool's own account all tasks are over. */
static void use_forgotten(cf_executor *pool, const pool_kind *kind, const char *what) {
    uint64_t indices[TASKS];
    const cf_submit_options options = {.retries = kind->retries};
    size_t submitted;
    cf_stats stats;
    for (uint64_t i = 0; i < TASKS; i++) {
        indices[i] = i;
    }
    cf_executor_submit_many(pool, &indexed_task, indices, TASKS, &options, NULL, &submitted);
    do {
        sched_yield();
        cf_executor_stats(pool, &stats);
    } while (stats.pending > 0 || stats.running > 0);
    for (uint64_t i = 0; i < submitted; i++) { /* one may have died before it had noted anything */
        uint32_t begun = atomic_load(&in_round->begun[i]);
        tally_add(&chaos->tasks, 1);
        if (begun > kind->retries + 1) {
            tally_fault(&chaos->duplicated, "%s: task %" PRIu64 " was begun %u times", what, i,
                        begun);
        } else if (begun == 0 && kind->retries > 0 && !kind->may_break) {
            tally_fault(&chaos->lost, "%s: task %" PRIu64 " was not begun", what, i);
        }
    }
}

static void use_map(cf_executor *pool, const pool_kind *kind, const char *what) {
    uint64_t indices[ITEMS], values[ITEMS];
    cf_exception exceptions[ITEMS];
    const cf_map_options options = {
        .chunk = MAP_CHUNK, .retries = kind->retries, .exceptions = exceptions};
    for (uint64_t i = 0; i < ITEMS; i++) {
        indices[i] = i;
    }
    memset(exceptions, 0xff, sizeof exceptions);
    cf_executor_map(pool, &indexed_task, indices, ITEMS, values, &options);
    for (uint64_t i = 0; i < ITEMS; i++) {
        check_end(kind, what, i, exceptions[i].status, values[i]);
    }
}

static cf_source_answer next_index(void *context, void *arg) {
    uint64_t *next = context;
    if (*next == ITEMS) {
        return CF_SOURCE_END;
    }
    memcpy(arg, next, sizeof *next);
    ++*next;
    return CF_SOURCE_ITEM;
}

static void use_stream(cf_executor *pool, const pool_kind *kind, const char *what,
                       bool as_completed) {
    const cf_stream_options options = {
        .as_completed = as_completed, .window = 8, .chunk = STREAM_CHUNK, .retries = kind->retries};
    cf_stream *stream;
    cf_stream_item item;
    bool seen[ITEMS] = {false};
    uint64_t next = 0, handed_out = 0;
    cf_status status = cf_stream_open(pool, &indexed_task, next_index, &next, &options, &stream);
    if (status == CF_OK) {
        while ((status = cf_stream_next(stream, CF_FOREVER, &item)) == CF_OK) {
            uint64_t value = 0;
            if (item.result != NULL) {
                memcpy(&value, item.result, sizeof value);
            }
            if (seen[item.index] || (!as_completed && item.index != handed_out)) {
                tally_fault(&chaos->duplicated, "%s: item %" PRIu64 " is not the next", what,
                            item.index);
            }
            seen[item.index] = true;
            handed_out++;
            check_end(kind, what, item.index, item.exception.status, value);
        }
        cf_stream_close(stream);
    }
    if (status != CF_EEXHAUSTED && !may_be_refused(kind, status)) {
        tally_fault(&chaos->lost, "%s: stream: %s", what, cf_status_name(status));
    } else if (status == CF_EEXHAUSTED && handed_out != ITEMS) {
        tally_fault(&chaos->lost, "%s: %" PRIu64 " of %d items", what, handed_out, ITEMS);
    }
}

static void use_stream_in_order(cf_executor *pool, const pool_kind *kind, const char *what) {
    use_stream(pool, kind, what, false);
}

static void use_stream_as_completed(cf_executor *pool, const pool_kind *kind, const char *what) {
    use_stream(pool, kind, what, true);
}

static void make_little_room(cf_pool_options *options) {
    options->max_pending = 1;
}

static void retire(cf_pool_options *options) {
    options->max_tasks_per_worker = 2;
}

const way ways[] = {
    {.name = "result", .run = use_result},
    {.name = "as_completed", .run = use_as_completed},
    {.name = "wait", .run = use_wait},
    {.name = "callbacks", .run = use_callbacks},
    {.name = "map", .run = use_map, .chunk = MAP_CHUNK},
    {.name = "stream", .run = use_stream_in_order, .chunk = STREAM_CHUNK},
    {.name = "stream_completed", .run = use_stream_as_completed, .chunk = STREAM_CHUNK},
    {.name = "room", .options = make_little_room, .run = use_result},
    {.name = "forgotten", .run = use_forgotten},
    {.name = "retiring", .options = retire, .run = use_result},
    {.name = "limits", .run = use_limits},
};
const size_t way_count = COUNT_OF(ways);
