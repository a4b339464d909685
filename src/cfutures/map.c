/* Arrays in, arrays out: a stream over the arguments, whose pieces are copied out as they are done.
 * Workers that share the caller's memory can read and write the arrays in place (may_be_direct). */
#include "cfutures/batch/window.h"

#include "platform/assert.h"
#include "platform/refusal.h"

#include <stdlib.h>
#include <string.h>

typedef struct map_call {
    cf_stream *stream;
    const cf_task *task;
    const unsigned char *args;
    unsigned char *results;
    size_t count;
    cf_exception *exceptions; /* NULL = not wanted */
    cfi_direct direct;        /* the arrays; used if stream->direct is set */
    size_t *order;            /* in which the items are sent; NULL = as they lie */
    size_t sent;              /* items */
    cf_progress_fn *progress; /* NULL = not wanted */
    void *progress_context;
    size_t first_failed; /* the item; count = none */
    cf_status failure;   /* of that item */
} map_call;

/* The item that was sent as number `sent`. */
static size_t item_at(const map_call *map, size_t sent) {
    return map->order != NULL ? map->order[sent] : sent;
}

/* ---- arguments ------------------------------------------------------------------------------- */

/* If an argument's size is a multiple of 8 bytes, a chunk has the array's layout, and one copy is
 * enough. */
static void copy_args(const map_call *map, unsigned char *args, size_t count) {
    size_t size = map->task->arg_size;
    size_t together = size % 8 == 0 && map->order == NULL ? count : 1;
    for (size_t i = 0; i < count && size > 0; i += together) {
        memcpy(args + cfi_chunk_step(size) * i, map->args + item_at(map, map->sent + i) * size,
               size * together);
    }
}

static cf_source_answer fill_from_array(void *context, unsigned char *args, size_t most,
                                        size_t *filled) {
    map_call *map = context;
    size_t left = map->count - map->sent;
    cfi_assert(map->sent <= map->count && map->stream->taken == map->sent);
    size_t count = left < most ? left : most;
    if (map->stream->direct == NULL) {
        copy_args(map, args, count);
    }
    map->sent += count;
    *filled = count;
    return count < most ? CF_SOURCE_END : CF_SOURCE_ITEM;
}

/* ---- results --------------------------------------------------------------------------------- */

static void note(map_call *map, size_t item, const cf_exception *exception) {
    cfi_assert(item < map->count);
    if (exception->status != CF_OK && item < map->first_failed) {
        map->first_failed = item;
        map->failure = exception->status;
    }
    if (map->exceptions != NULL) {
        map->exceptions[item] = *exception;
    }
}

static void copy_result(map_call *map, size_t item, const void *result, size_t size) {
    size_t room = map->task->result_size;
    if (room > 0) {
        unsigned char *to = map->results + item * room;
        cfi_assert(item < map->count && size <= room);
        if (size > 0) {
            memcpy(to, result, size);
        }
        memset(to + size, 0, room - size);
    }
}

static void copy_one_by_one(map_call *map, const cfi_piece *piece) {
    for (uint32_t i = 0; i < piece->count; i++) {
        cf_exception exception;
        size_t size;
        size_t item = item_at(map, (size_t)piece->first + i);
        const void *result = cfi_piece_read(map->stream, piece, i, &exception, &size);
        copy_result(map, item, result, size);
        note(map, item, &exception);
    }
}

/* Every item returned 0 and a full result, and the results have the array's layout. */
static bool is_copied_at_once(const map_call *map, const cfi_chunk_progress *progress) {
    return plat_load_acquire(&progress->varied) == 0 && map->task->result_size % 8 == 0 &&
           map->order == NULL && map->exceptions == NULL;
}

static void copy_piece(map_call *map, const cfi_piece *piece) {
    const cfi_chunk_progress *progress = cfi_piece_progress(map->stream, piece);
    size_t first = (size_t)piece->first;
    size_t room = map->task->result_size;
    cfi_assert(first + piece->count <= map->sent && piece->handed_out == 0);
    if (progress == NULL) { /* NOLINT(bugprone-branch-clone): the order of the questions */
        copy_one_by_one(map, piece);
    } else if (map->stream->direct != NULL) { /* the results are in the array already */
        cfi_assert(progress->failed <= piece->count);
        if (progress->failed > 0 && first + progress->failed - 1 < map->first_failed) {
            map->first_failed = first + progress->failed - 1;
            map->failure = CF_ETASK;
        }
    } else if (!is_copied_at_once(map, progress)) {
        copy_one_by_one(map, piece);
    } else if (room > 0) {
        memcpy(map->results + first * room, cfi_chunk_results(progress), piece->count * room);
    }
}

/* Items that were never sent fail with `status`. Returns the map's status. */
static cf_status finish(map_call *map, cf_status status) {
    cfi_assert(map->stream->handed_out == map->sent); /* none is lost */
    cfi_assert(status == CF_EEXHAUSTED ? map->sent == map->count
                                       : status == map->stream->closed_reason);
    const cf_exception exception = {.status = status, .worker = -1};
    for (size_t sent = map->sent; sent < map->count; sent++) {
        size_t item = item_at(map, sent);
        copy_result(map, item, NULL, 0);
        note(map, item, &exception);
    }
    return map->first_failed < map->count ? map->failure : CF_OK;
}

/* ---- the order in which they are sent -------------------------------------------------------- */

typedef struct priced {
    double cost;
    size_t item;
} priced;

/* The most expensive item first; equal ones in the array's order. */
static int compare_costs(const void *left, const void *right) {
    const priced *a = left, *b = right;
    if (a->cost != b->cost) {
        return a->cost > b->cost ? -1 : 1;
    }
    return a->item < b->item ? -1 : 1;
}

/* NULL: no memory. */
static size_t *dearest_first(const map_call *map, const cf_map_options *options) {
    size_t *order = plat_noted(calloc(map->count, sizeof *order));
    priced *items = plat_noted(calloc(map->count, sizeof *items));
    for (size_t i = 0; i < map->count && order != NULL && items != NULL; i++) {
        double cost = options->cost(options->cost_context,
                                    map->args != NULL ? map->args + i * map->task->arg_size : NULL);
        items[i] = (priced){cost == cost ? cost : 0, i}; /* NaN has no order */
    }
    if (order == NULL || items == NULL) {
        free(order);
        order = NULL;
    } else {
        qsort(items, map->count, sizeof *items, compare_costs);
        for (size_t i = 0; i < map->count; i++) {
            order[i] = items[i].item;
        }
    }
    free(items);
    return order;
}

/* ---- the map --------------------------------------------------------------------------------- */

static cf_status run_map(map_call *map) {
    for (;;) {
        cfi_piece *piece;
        cf_status status = cfi_stream_next_piece(map->stream, CF_FOREVER, &piece);
        switch (status) {
        case CF_OK:
            copy_piece(map, piece);
            cfi_stream_hand_out(map->stream, piece);
            if (map->progress != NULL) {
                map->progress(map->progress_context, (size_t)map->stream->handed_out, map->count);
            }
            break;
        case CF_EDEADLOCK: /* inside a task: a wait would never end */
            if (map->stream->closed_reason == CF_EDEADLOCK) { /* all pieces are handed out */
                return finish(map, status);
            }
            cfi_stream_abandon(map->stream, status);
            break;
        default: /* CF_EEXHAUSTED, or the reason why submit refused */
            return finish(map, status);
        }
    }
}

/* As a type of that size needs it: a size is a multiple of its type's alignment. */
static bool is_aligned(const void *array, size_t item_size) {
    const size_t bits = item_size | 8;
    const size_t alignment = bits & (~bits + 1); /* the lowest bit */
    return (uintptr_t)array % alignment == 0;
}

static bool overlap(const map_call *map) {
    uintptr_t args = (uintptr_t)map->args, results = (uintptr_t)map->results;
    return args < results + map->count * map->task->result_size &&
           results < args + map->count * map->task->arg_size;
}

/* Whether workers may use the user's arrays in place. Copying 8 bytes in and out costs as much as a
 * small task.
 *
 *   - The workers must see the arrays, with items aligned as a task expects.
 *   - No item may still be running when the map returns. It could be with a time limit, because the
 *     thread goes on after a run is declared over its time; and inside a task, where the map may
 *     give up waiting. */
static bool may_be_direct(const cf_executor *executor, const map_call *map,
                          const cf_map_options *options) {
    return executor != NULL && !executor->queue.shared && !executor->ops->is_remote &&
           map->order == NULL && options->timeout_ns <= 0 && cfi_worker_innermost() == NULL &&
           !overlap(map) && is_aligned(map->args, map->task->arg_size) &&
           is_aligned(map->results, map->task->result_size);
}

static cf_status open_and_run(cf_executor *executor, map_call *map, const cf_map_options *options) {
    const cf_stream_options stream_options = {
        .as_completed = true,
        .chunk = options->chunk < map->count ? options->chunk : map->count,
        .size_hint = map->count,
        .retries = options->retries,
        .timeout_ns = options->timeout_ns,
    };
    bool direct = map->task != NULL && may_be_direct(executor, map, options);
    cf_status status =
        cfi_stream_create(executor, map->task, fill_from_array, map, direct ? &map->direct : NULL,
                          &stream_options, &map->stream);
    if (status == CF_OK) {
        status = run_map(map);
        cfi_stream_close(map->stream);
    }
    return status;
}

cf_status cf_executor_map(cf_executor *executor, const cf_task *task, const void *args,
                          size_t count, void *results, const cf_map_options *options) {
    static const cf_map_options default_options;
    if (options == NULL) {
        options = &default_options;
    }
    if (task != NULL && count > 0 &&
        ((args == NULL && task->arg_size > 0) || (results == NULL && task->result_size > 0))) {
        return CF_EINVAL;
    }
    map_call map = {
        .task = task,
        .args = args,
        .results = results,
        .count = count,
        .exceptions = options->exceptions,
        .direct = {.args = args, .results = results, .exceptions = options->exceptions},
        .progress = options->progress,
        .progress_context = options->progress_context,
        .first_failed = count,
    };
    if (options->cost != NULL && task != NULL && count > 0) {
        map.order = dearest_first(&map, options);
        if (map.order == NULL) {
            return CF_ENOMEM;
        }
    }
    cf_status status = open_and_run(executor, &map, options);
    free(map.order);
    return status;
}
