/* Arrays in, arrays out.
 *
 * Items travel in chunks: one task runs several of them, one after the other, and notes after each
 * how far it has come. So when its worker dies the chunk costs only the item that was running:
 * those before it have their results, it is tried again or fails, and those after it are sent
 * again. A window of chunks is under way at a time; whichever is done is copied out and replaced by
 * the next, so a slow chunk delays nobody and memory stays bounded. */
#include "cfutures/watch.h"
#include "cfutures/worker.h"

#include "platform/fork_mark.h"

#include <stdlib.h>
#include <string.h>

/* ---- the worker's side ----------------------------------------------------------------------- */

/* The argument of a chunk: this header, then count * arg_size bytes. */
typedef struct chunk_header {
    cf_task_fn *run;
    size_t arg_size;
    size_t result_size;
    uint32_t count;
    uint32_t attempt; /* of the first item; the others are at their first */
} chunk_header;

/* Its result: this, then count error numbers, then (8-aligned) count results in steps of 8 bytes.
 */
typedef struct chunk_progress {
    _Atomic uint32_t done; /* items; the next one was running if the worker died */
    int32_t errors[];
} chunk_progress;

static size_t step(size_t item_size) {
    return (item_size + 7) & ~(size_t)7;
}

static size_t chunk_arg_size(size_t arg_size, size_t count) {
    return sizeof(chunk_header) + step(arg_size) * count;
}

static size_t chunk_results_offset(size_t count) {
    return step(sizeof(chunk_progress) + sizeof(int32_t) * count);
}

static size_t chunk_result_size(size_t result_size, size_t count) {
    return chunk_results_offset(count) + step(result_size) * count;
}

static int run_chunk(const void *arg, void *result, cf_task_context *ctx) {
    const chunk_header *header = arg;
    const unsigned char *args = (const unsigned char *)(header + 1);
    chunk_progress *progress = result;
    unsigned char *results = (unsigned char *)result + chunk_results_offset(header->count);
    cf_task_context item_ctx = {.worker = ctx->worker, .attempt = header->attempt};
    for (uint32_t i = 0; i < header->count; i++) {
        progress->errors[i] = header->run(
            header->arg_size > 0 ? args + step(header->arg_size) * i : NULL,
            header->result_size > 0 ? results + step(header->result_size) * i : NULL, &item_ctx);
        cfi_store_release(&progress->done, i + 1);
        item_ctx.attempt = 1;
    }
    return 0;
}

/* ---- the caller's side ----------------------------------------------------------------------- */

typedef struct chunk {
    cfi_watch watch;
    size_t first; /* item */
    size_t count;
    uint32_t attempt; /* of the first item */
} chunk;

typedef struct map_call {
    cf_executor *executor;
    const cf_task *task;
    const unsigned char *args;
    unsigned char *results;
    size_t count;
    const cf_map_options *options;
    size_t chunk_items;
    size_t next;         /* item not yet sent */
    size_t first_failed; /* item; count = none */
    cf_status failure;   /* of that item */
    cf_status refused;   /* why no more can be sent; CF_OK = more can */
    cfi_watch_set set;
    chunk **idle; /* a stack of those not under way */
    size_t idle_count;
    size_t under_way;
    chunk *chunks;
    unsigned char *buffer; /* where a chunk's argument is put together */
} map_call;

static size_t window_of(const cf_executor *executor, size_t chunks) {
    size_t window = (size_t)executor->max_workers * 16;
    return chunks < window ? chunks : window;
}

/* Without better knowledge: so many chunks that the last ones make a tail of 1/64 of the whole at
 * most, and so few items in one that they are sent in a few dozen kilobytes. */
static size_t choose_chunk(const cf_executor *executor, const cf_task *task, size_t count,
                           size_t wanted) {
    enum {
        TAIL = 64,
        BYTES = 32 << 10,
        ITEMS_MOST = 1024
    };
    size_t item = step(task->arg_size) + step(task->result_size) + sizeof(int32_t);
    if (wanted > 0) {
        size_t most = ((size_t)CFI_BLOCK_BYTES_MAX / 2) / item;
        return wanted < most ? wanted : most;
    }
    size_t items = count / executor->max_workers / TAIL;
    size_t most = BYTES / item < ITEMS_MOST ? BYTES / item : ITEMS_MOST;
    items = items > most ? most : items;
    return items < 1 ? 1 : items;
}

static void fail_item(map_call *map, size_t item, const cf_exception *exception) {
    if (item < map->first_failed) {
        map->first_failed = item;
        map->failure = exception->status;
    }
    if (map->options->exceptions != NULL) {
        map->options->exceptions[item] = *exception;
    }
    if (map->task->result_size > 0) {
        memset(map->results + item * map->task->result_size, 0, map->task->result_size);
    }
}

static void fail_items(map_call *map, size_t first, size_t end, cf_status status) {
    cf_exception exception = {.status = status, .worker = -1};
    for (size_t item = first; item < end; item++) {
        fail_item(map, item, &exception);
    }
}

/* ---- sending --------------------------------------------------------------------------------- */

static const chunk_header *fill_buffer(map_call *map, const chunk *sent) {
    chunk_header *header = (chunk_header *)(void *)map->buffer;
    size_t size = map->task->arg_size;
    *header = (chunk_header){
        .run = map->task->run,
        .arg_size = size,
        .result_size = map->task->result_size,
        .count = (uint32_t)sent->count,
        .attempt = sent->attempt,
    };
    for (size_t i = 0; size > 0 && i < sent->count; i++) {
        memcpy(map->buffer + chunk_arg_size(size, i), map->args + (sent->first + i) * size, size);
    }
    return header;
}

static cf_status send_chunk(map_call *map, chunk *sent) {
    cf_task task = {
        .name = map->task->name,
        .run = run_chunk,
        .arg_size = chunk_arg_size(map->task->arg_size, sent->count),
        .result_size = chunk_result_size(map->task->result_size, sent->count),
    };
    cf_future *future;
    cf_status status = cfi_executor_submit(
        map->executor, &(cfi_submission){.task = &task, .arg = fill_buffer(map, sent)}, &future);
    if (status != CF_OK) {
        return status;
    }
    cfi_watch_begun begun =
        cfi_watch_begin(&map->set, &sent->watch, future, (size_t)(sent - map->chunks));
    if (begun != CFI_WATCH_BEGUN) { /* the set knows its executor: only at the first chunk */
        cf_future_exception(future, CF_FOREVER, &(cf_exception){0});
        cf_future_release(future);
        return CF_ENOMEM;
    }
    cf_future_release(future); /* the watch holds it */
    map->under_way++;
    return CF_OK;
}

/* Sends the items [first, end) or, when that is refused for good, fails them. A pool without memory
 * has some again when a chunk that is under way has come back; then `end` items wait for it: false.
 */
static bool send_items(map_call *map, size_t first, size_t end, uint32_t attempt) {
    if (map->refused == CF_OK) {
        chunk *sent = map->idle[map->idle_count - 1];
        sent->first = first;
        sent->count = end - first;
        sent->attempt = attempt;
        cf_status status = send_chunk(map, sent);
        if (status == CF_OK) {
            map->idle_count--;
            return true;
        }
        if (status == CF_ENOMEM && map->under_way > 0) {
            return false;
        }
        map->refused = status;
    }
    fail_items(map, first, end, map->refused);
    return true;
}

static void send_more(map_call *map) {
    while (map->next < map->count && map->idle_count > 0) {
        size_t end =
            map->count - map->next < map->chunk_items ? map->count : map->next + map->chunk_items;
        if (!send_items(map, map->next, end, 1)) {
            return;
        }
        map->next = end;
    }
}

/* ---- collecting ------------------------------------------------------------------------------ */

static void copy_out(map_call *map, const chunk *done, uint32_t items, int worker) {
    cfi_slot *slot = done->watch.slot;
    const chunk_progress *progress = cfi_slot_result(slot, map->executor->queue.base);
    const unsigned char *results =
        (const unsigned char *)progress + chunk_results_offset(done->count);
    size_t size = map->task->result_size;
    for (uint32_t i = 0; i < items; i++) {
        size_t item = done->first + i;
        if (progress->errors[i] != 0) {
            fail_item(map, item,
                      &(cf_exception){
                          .status = CF_ETASK, .task_error = progress->errors[i], .worker = worker});
            continue;
        }
        if (size > 0) {
            memcpy(map->results + item * size, results + step(size) * i, size);
        }
        if (map->options->exceptions != NULL) {
            map->options->exceptions[item] = (cf_exception){.status = CF_OK, .worker = worker};
        }
    }
}

static uint32_t items_done(const map_call *map, const chunk *done, const cf_exception *exception) {
    if (exception->status == CF_OK) {
        return (uint32_t)done->count;
    }
    if (exception->status != CF_EWORKER) {
        return 0; /* cancelled, or nobody knows */
    }
    const chunk_progress *progress = cfi_slot_result(done->watch.slot, map->executor->queue.base);
    uint32_t items = cfi_load_acquire(&progress->done);
    return items < done->count ? items : (uint32_t)done->count;
}

/* Puts the chunk back among the idle ones and sends again what its worker's death left undone. */
static void collect(map_call *map, chunk *done) {
    cf_exception exception;
    cf_future_exception(done->watch.slot, CF_FOREVER, &exception);
    uint32_t items = items_done(map, done, &exception);
    copy_out(map, done, items, exception.worker);

    size_t next = done->first + items;
    size_t end = done->first + done->count;
    uint32_t attempt = items == 0 ? done->attempt : 1; /* of the item that was running */
    cfi_watch_end(&done->watch);
    map->idle[map->idle_count++] = done;
    map->under_way--;
    if (next == end) {
        return;
    }
    if (exception.status != CF_EWORKER) {
        fail_items(map, next, end, exception.status);
        return;
    }
    if (attempt > map->options->retries) {
        fail_item(map, next, &exception);
        next++;
        attempt = 0;
    } else {
        cfi_add_relaxed(&map->executor->retries, 1);
    }
    while (next < end && !send_items(map, next, end, attempt + 1)) {
        cfi_watch *w;
        if (cfi_watch_set_next(&map->set, CF_FOREVER, &w) != CF_OK)
            __builtin_trap();
        collect(map, &map->chunks[w->index]);
    }
}

static void run_map(map_call *map) {
    send_more(map);
    while (map->under_way > 0) {
        cfi_watch *w;
        if (cfi_watch_set_next(&map->set, CF_FOREVER, &w) != CF_OK)
            __builtin_trap();
        collect(map, &map->chunks[w->index]);
        send_more(map);
    }
}

/* ---- the call -------------------------------------------------------------------------------- */

static cf_status check_map(const cf_executor *executor, const cf_task *task, const void *args,
                           size_t count, const void *results, const cf_map_options *options) {
    if (executor == NULL || task == NULL || task->run == NULL || task->arg_size > CF_PAYLOAD_MAX ||
        task->result_size > CF_PAYLOAD_MAX || options->retries > CF_RETRIES_MAX ||
        (count > 0 &&
         ((args == NULL && task->arg_size > 0) || (results == NULL && task->result_size > 0)))) {
        return CF_EINVAL;
    }
    return cfi_fork_mark_is_ours(executor->fork_mark) ? CF_OK : CF_EFORKED;
}

static bool allocate(map_call *map) {
    size_t chunks = window_of(map->executor, (map->count - 1) / map->chunk_items + 1);
    map->chunks = calloc(chunks, sizeof *map->chunks);
    map->idle = malloc(chunks * sizeof(chunk *));
    map->buffer = malloc(chunk_arg_size(map->task->arg_size, map->chunk_items));
    if (map->chunks == NULL || map->idle == NULL || map->buffer == NULL) {
        return false;
    }
    for (size_t i = 0; i < chunks; i++) {
        map->idle[map->idle_count++] = &map->chunks[chunks - 1 - i];
    }
    return true;
}

cf_status cf_executor_map(cf_executor *executor, const cf_task *task, const void *args,
                          size_t count, void *results, const cf_map_options *options) {
    static const cf_map_options default_options;
    if (options == NULL) {
        options = &default_options;
    }
    cf_status status = check_map(executor, task, args, count, results, options);
    if (status != CF_OK || count == 0) {
        return status;
    }
    map_call map = {
        .executor = executor,
        .task = task,
        .args = args,
        .results = results,
        .count = count,
        .options = options,
        .chunk_items = choose_chunk(executor, task, count, options->chunk),
        .first_failed = count,
    };
    if (map.chunk_items > count) {
        map.chunk_items = count;
    }
    if (!cfi_watch_set_init(&map.set) || !allocate(&map)) {
        status = CF_ENOMEM;
    } else {
        run_map(&map);
        status = map.first_failed < count ? map.failure : CF_OK;
    }
    cfi_watch_set_fini(&map.set);
    free(map.chunks);
    free(map.idle);
    free(map.buffer);
    return status;
}
