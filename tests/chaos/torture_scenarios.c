/* What one caller does with an executor: the scenarios of torture.c. Those that shut it down, kill its
 * workers or use it from inside a task are in torture_lives.c. */
#include "torture_scenarios.h"

#include <sched.h>
#include <string.h>

enum {
    FEW = 4,
    SOME = 40,
    MANY = 2100,              /* slots are made by 1024 */
    LARGE_PAYLOAD = 48 << 10, /* more than 32 KiB: it is staged in a block */
    HUGE_PAYLOAD = 512 << 10  /* the arena grows */
};

static void create_destroy(stage *s) {
    if (open_pool(s, (cf_pool_options){.name = "torture"})) {
        EXPECT_THAT(s, strcmp(cf_executor_kind(s->pool), s->on->name) == 0);
        close_pool(s);
    }
}

static void submit_result(stage *s) {
    if (!open_pool(s, (cf_pool_options){.record_times = true})) {
        return;
    }
    STEP(s, "submit, result");
    for (int i = 0; i < FEW; i++) {
        const item it = new_item(s);
        cf_future *future = submit_item(s, &it, NULL);
        collect_item(s, future, &it);
    }
    still_works(s);
    close_pool(s);
}

/* Nobody keeps the futures. */
static void forgotten(stage *s) {
    bool taken[FEW];
    item items[FEW];
    if (!open_pool(s, (cf_pool_options){0})) {
        return;
    }
    STEP(s, "submit without a future");
    for (int i = 0; i < FEW; i++) {
        items[i] = new_item(s);
        taken[i] = accepted(s, cf_executor_submit(s->pool, &item_task, &items[i], NULL), REFUSALS,
                            "submit");
    }
    close_pool(s);
    for (int i = 0; i < FEW; i++) {
        uint32_t runs = runs_of(s, items[i].index);
        EXPECT_THAT(s, taken[i] ? runs == 1 || may_kill_worker(s) || may_break(s) : runs == 0);
    }
}

/* ---- payloads -------------------------------------------------------------------------------- */

static char payload[HUGE_PAYLOAD], answer[HUGE_PAYLOAD];

static int run_invert(const void *arg, void *result, cf_task_context *ctx) {
    for (size_t i = 0; i < cf_task_arg_size(ctx); i += sizeof(uint64_t)) {
        *(uint64_t *)(void *)((char *)result + i) =
            ~*(const uint64_t *)(const void *)((const char *)arg + i);
    }
    return 0;
}

static bool is_inverted(size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (answer[i] != (char)~payload[i]) {
            return false;
        }
    }
    return true;
}

static void submit_payload(stage *s, size_t size) {
    const cf_task task = {.name = "invert",
                          .run = run_invert,
                          .arg_size = size,
                          .result_size = size,
                          .unzeroed = true};
    cf_future *future = NULL;
    for (size_t i = 0; i < size; i += 64) {
        payload[i] = (char)(i / 64);
    }
    cf_status status = cf_executor_submit(s->pool, &task, payload, &future);
    if (!accepted(s, status, REFUSALS, "submit") && can_try_again(s)) {
        status = cf_executor_submit(s->pool, &task, payload, &future);
        accepted(s, status, REFUSALS, "submit");
    }
    if (future == NULL) {
        return;
    }
    tally_add(&chaos->tasks, 1);
    status = cf_future_result(future, CF_FOREVER, answer);
    if (status == CF_OK ? !is_inverted(size) : !may_kill_worker(s) && !may_break(s)) {
        wrong(s, &chaos->lost, "a payload ended with %s, or is wrong", cf_status_name(status));
    }
    cf_future_release(future);
}

static void payloads(stage *s) {
    if (open_pool(s, (cf_pool_options){0})) {
        STEP(s, "submit a large payload");
        submit_payload(s, LARGE_PAYLOAD);
        STEP(s, "submit a huge payload");
        submit_payload(s, HUGE_PAYLOAD);
        submit_payload(s, LARGE_PAYLOAD);
        still_works(s);
        close_pool(s);
    }
}

/* A small arena is full at once: a limit of the pool, and no call that failed. */
static void small_arena(stage *s) {
    const cf_task task = {.run = run_invert, .arg_size = HUGE_PAYLOAD, .result_size = 1 << 20};
    if (open_pool(s, (cf_pool_options){.arena_limit = 1 << 20})) {
        STEP(s, "submit what has no room");
        cf_status status = cf_executor_submit(s->pool, &task, payload, NULL);
        EXPECT_THAT(s, status == CF_ENOMEM && cf_refused_call(NULL) == NULL);
        still_works(s);
        close_pool(s);
    }
}

/* ---- many at once ---------------------------------------------------------------------------- */

static void submit_many(stage *s) {
    item items[SOME];
    cf_future *futures[SOME];
    size_t done = 0;
    if (!open_pool(s, (cf_pool_options){0})) {
        return;
    }
    STEP(s, "submit_many");
    for (int i = 0; i < SOME; i++) {
        items[i] = new_item(s);
    }
    for (int attempt = 0; attempt < 2 && done < SOME; attempt++) {
        size_t more = SOME;
        cf_status status = cf_executor_submit_many(s->pool, &item_task, items + done, SOME - done,
                                                   NULL, futures + done, &more);
        EXPECT_THAT(s, more <= SOME - done && (status == CF_OK) == (more == SOME - done));
        done += more;
        if (!accepted(s, status, REFUSALS, "submit_many") && !can_try_again(s)) {
            break;
        }
    }
    for (size_t i = 0; i < SOME; i++) {
        EXPECT_THAT(s, (futures[i] != NULL) == (i < done));
        collect_item(s, futures[i], &items[i]);
        EXPECT_THAT(s, i < done || runs_of(s, items[i].index) == 0);
    }
    still_works(s);
    close_pool(s);
}

/* Each task under a name of its own: the table of tasks grows. */
static void many_names(stage *s) {
    item items[SOME];
    cf_future *futures[SOME];
    if (!open_pool(s, (cf_pool_options){0})) {
        return;
    }
    STEP(s, "submit tasks with names of their own");
    for (int i = 0; i < SOME; i++) {
        char name[] = "task ?";
        cf_task task = item_task;
        name[5] = (char)('0' + i);
        task.name = name;
        items[i] = new_item(s);
        cf_status status = cf_executor_submit(s->pool, &task, &items[i], &futures[i]);
        if (!accepted(s, status, REFUSALS, "submit") && can_try_again(s)) {
            status = cf_executor_submit(s->pool, &task, &items[i], &futures[i]);
            accepted(s, status, REFUSALS, "submit");
        }
    }
    for (int i = 0; i < SOME; i++) {
        collect_item(s, futures[i], &items[i]);
    }
    still_works(s);
    close_pool(s);
}

/* Slots are made by the thousand, and only tasks that were not given up keep them. */
static void many_slots(stage *s) {
    static item items[MANY];
    static cf_future *futures[MANY];
    size_t done = 0, more = 0;
    if (!open_pool(s, (cf_pool_options){0})) {
        return;
    }
    STEP(s, "keep the futures of thousands");
    for (int i = 0; i < MANY; i++) {
        items[i] = new_item(s);
    }
    for (int attempt = 0; attempt < 2 && done < MANY; attempt++) {
        cf_status status = cf_executor_submit_many(s->pool, &item_task, items + done, MANY - done,
                                                   NULL, futures + done, &more);
        done += more;
        if (!accepted(s, status, REFUSALS, "submit_many") && !can_try_again(s)) {
            break;
        }
    }
    EXPECT_THAT(s, done == MANY || !can_try_again(s));
    for (size_t i = 0; i < done; i++) {
        collect_item(s, futures[i], &items[i]);
    }
    still_works(s);
    close_pool(s);
}

/* ---- maps and streams ------------------------------------------------------------------------ */

static double cost_of(void *context, const void *arg) {
    (void)context;
    return (double)(((const item *)arg)->index % 7);
}

/* An item that was refused has not run. But if there is no memory to send again what a dead worker has left
 * of its chunk, the whole chunk is refused. */
static void check_item_of_many(stage *s, const item *i, cf_status status, const uint64_t *result) {
    const unsigned refused = AS_BIT(status) & REFUSALS;
    if (status != CF_OK && refused != 0 && !s->strict) {
        EXPECT_THAT(s, s->some_die || runs_of(s, i->index) == 0);
        tally_add(&chaos->tasks, 1);
    } else {
        check_ending(s, i, status, result, i->deaths + 1);
    }
}

void map_items(stage *s, uint32_t deaths, const cf_map_options *options) {
    const cf_status untold = (cf_status)99;
    item items[SOME];
    uint64_t results[SOME];
    cf_exception told[SOME];
    cf_map_options with_told = *options;
    s->some_die = deaths > 0;
    with_told.exceptions = told;
    for (int attempt = 0; attempt < 2; attempt++) {
        for (int i = 0; i < SOME; i++) {
            items[i] = new_item(s);
            items[i].deaths = i % 16 == 3 ? deaths : 0;
            told[i].status = untold;
        }
        cf_status status = cf_executor_map(s->pool, &item_task, items, SOME, results, &with_told);
        const unsigned others = may_kill_worker(s) ? AS_BIT(CF_EWORKER) : 0;
        bool done = accepted(s, status, REFUSALS | others, "map");
        for (int i = 0; i < SOME; i++) {
            EXPECT_THAT(s, !done || told[i].status == CF_OK);
            if (told[i].status != untold) {
                check_item_of_many(s, &items[i], told[i].status, &results[i]);
            }
        }
        if (done || !can_try_again(s)) {
            break;
        }
    }
}

static void map(stage *s) {
    if (open_pool(s, (cf_pool_options){0})) {
        STEP(s, "map");
        map_items(s, 0, &(cf_map_options){0});
        STEP(s, "map with costs");
        map_items(s, 0, &(cf_map_options){.cost = cost_of, .chunk = 3});
        still_works(s);
        close_pool(s);
    }
}

typedef struct source {
    stage *s;
    item items[SOME];
    bool handed_out[SOME];
    uint32_t count;
    uint32_t deaths;
} source;

static cf_source_answer next_item(void *context, void *arg) {
    source *from = context;
    if (from->count == SOME) {
        return CF_SOURCE_END;
    }
    item *next = &from->items[from->count];
    *next = new_item(from->s);
    next->deaths = from->count % 16 == 3 ? from->deaths : 0;
    *(item *)arg = *next;
    from->count++;
    return CF_SOURCE_ITEM;
}

static void take_out(stage *s, source *from, cf_stream *stream, bool ordered) {
    cf_stream_item out;
    cf_status status;
    uint64_t count = 0;
    while ((status = cf_stream_next(stream, CF_FOREVER, &out)) == CF_OK) {
        const uint64_t nothing = 0;
        if (out.index >= from->count || from->handed_out[out.index]) {
            wrong(s, &chaos->duplicated, "item %u of a stream was handed out twice, or is none",
                  (unsigned)out.index);
            return;
        }
        EXPECT_THAT(s, !ordered || out.index == count);
        from->handed_out[out.index] = true;
        count++;
        check_item_of_many(s, &from->items[out.index], out.exception.status,
                           out.result != NULL ? out.result : &nothing);
    }
    if (status == CF_EEXHAUSTED) {
        EXPECT_THAT(s, count == SOME && from->count == SOME);
    } else {
        accepted(s, status, REFUSALS, "next");
    }
}

void stream_items(stage *s, uint32_t deaths, const cf_stream_options *options) {
    char text[64];
    cf_stream *stream = NULL;
    source from = {.s = s, .deaths = deaths};
    s->some_die = deaths > 0;
    for (int attempt = 0; attempt < 2 && stream == NULL; attempt++) {
        from.count = 0;
        cf_status status = cf_stream_open(s->pool, &item_task, next_item, &from, options, &stream);
        if (!accepted(s, status, REFUSALS, "open") && !can_try_again(s)) {
            return;
        }
    }
    if (stream != NULL) {
        EXPECT_THAT(s, strstr(cf_stream_describe(stream, text, sizeof text), "<cf_stream") == text);
        take_out(s, &from, stream, !options->as_completed);
        cf_stream_close(stream);
    }
}

static void stream_ordered(stage *s) {
    if (open_pool(s, (cf_pool_options){0})) {
        STEP(s, "an ordered stream");
        stream_items(s, 0, &(cf_stream_options){.window = 8, .chunk = 2});
        still_works(s);
        close_pool(s);
    }
}

static void stream_as_completed(stage *s) {
    if (open_pool(s, (cf_pool_options){0})) {
        STEP(s, "a stream as completed");
        stream_items(s, 0, &(cf_stream_options){.as_completed = true, .size_hint = SOME});
        still_works(s);
        close_pool(s);
    }
}

/* ---- waiting for several --------------------------------------------------------------------- */

/* Submits; those that are refused are left out. Returns how many there are. */
static size_t submit_some(stage *s, item *items, cf_future **futures, size_t count) {
    size_t made = 0;
    for (size_t i = 0; i < count; i++) {
        items[made] = new_item(s);
        futures[made] = submit_item(s, &items[made], NULL);
        made += futures[made] != NULL;
    }
    return made;
}

static void hand_out(stage *s, cf_future **futures, size_t count) {
    cf_as_completed *completed = NULL;
    bool seen[SOME] = {false};
    for (int attempt = 0; attempt < 2 && completed == NULL; attempt++) {
        cf_status status = cf_as_completed_create(futures, count, &completed);
        if (!accepted(s, status, AS_BIT(CF_ENOMEM), "as_completed_create") && !can_try_again(s)) {
            return;
        }
    }
    cf_future *future;
    size_t index, handed_out = 0;
    while (completed != NULL &&
           cf_as_completed_next(completed, CF_FOREVER, &future, &index) == CF_OK) {
        EXPECT_THAT(s, index < count && future == futures[index] && !seen[index]);
        seen[index] = true;
        handed_out++;
    }
    EXPECT_THAT(s, completed == NULL || handed_out == count);
    cf_as_completed_destroy(completed);
}

static void as_completed(stage *s) {
    item items[SOME];
    cf_future *futures[SOME];
    if (!open_pool(s, (cf_pool_options){0})) {
        return;
    }
    STEP(s, "as_completed");
    size_t count = submit_some(s, items, futures, SOME);
    hand_out(s, futures, count);
    for (size_t i = 0; i < count; i++) {
        collect_item(s, futures[i], &items[i]);
    }
    still_works(s);
    close_pool(s);
}

static void wait_for(stage *s) {
    static const cf_wait_for conditions[] = {CF_FIRST_COMPLETED, CF_FIRST_EXCEPTION,
                                             CF_ALL_COMPLETED};
    item items[FEW];
    cf_future *futures[FEW];
    if (!open_pool(s, (cf_pool_options){0})) {
        return;
    }
    STEP(s, "wait");
    size_t count = submit_some(s, items, futures, FEW);
    for (size_t i = 0; i < COUNT_OF(conditions); i++) {
        size_t done = 0;
        cf_status status = cf_wait(futures, count, conditions[i], CF_FOREVER, &done);
        if (accepted(s, status, AS_BIT(CF_ENOMEM), "wait")) {
            EXPECT_THAT(s, count == 0 ||
                               (conditions[i] == CF_ALL_COMPLETED ? done == count : done > 0));
        }
    }
    for (size_t i = 0; i < count; i++) {
        collect_item(s, futures[i], &items[i]);
    }
    still_works(s);
    close_pool(s);
}

const scenario torture_scenarios[] = {
    {"create_destroy", ON_ALL, create_destroy},
    {"submit_result", ON_ALL, submit_result},
    {"forgotten", ON_ALL, forgotten},
    {"payloads", ON_ALL, payloads},
    {"small_arena", ON_ALL, small_arena},
    {"submit_many", ON_ALL, submit_many},
    {"many_names", ON_ALL, many_names},
    {"many_slots", ON_ALL, many_slots},
    {"map", ON_ALL, map},
    {"stream_ordered", ON_ALL, stream_ordered},
    {"stream_as_completed", ON_ALL, stream_as_completed},
    {"as_completed", ON_ALL, as_completed},
    {"wait", ON_ALL, wait_for},
    {"callbacks", ON_ALL, callbacks},
    {"deadlines", ON_ALL, deadlines},
    {"room", ON_POOLS, room},
    {"room_refused", ON_POOLS, room_refused},
    {"cancel", ON_POOLS, cancel},
    {"about", ON_ALL, about},
    {"initializer", ON_ALL, initializer},
    {"failing_initializer", ON_ALL, failing_initializer},
    {"retiring", ON_ALL, retiring},
    {"shutdown_waits", ON_ALL, shutdown_waits},
    {"shutdown_cancels", ON_ALL, shutdown_cancels},
    {"terminate", ON_ALL, terminate},
    {"kill", ON_PROCESSES, kill_workers},
    {"nested_wait", ON_TEAMS | ON_SERIAL, nested_wait},
    {"pool_in_task", ON_ALL, pool_in_task},
    {"thread_ends", ON_THREADS, thread_ends},
    {"retries", ON_PROCESSES, retries},
    {"no_retries", ON_PROCESSES, no_retries},
    {"map_with_deaths", ON_PROCESSES, map_with_deaths},
    {"stream_with_deaths", ON_PROCESSES, stream_with_deaths},
};
const size_t torture_scenario_count = COUNT_OF(torture_scenarios);
