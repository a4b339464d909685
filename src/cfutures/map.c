/* Arrays in, arrays out: a stream over the arguments whose pieces are copied out as they are done.
 * */
#include "cfutures/stream.h"

#include <string.h>

typedef struct map_call {
    cf_stream *stream;
    const cf_task *task;
    const unsigned char *args;
    unsigned char *results;
    size_t count;
    cf_exception *exceptions; /* NULL = not wanted */
    size_t sent;              /* items */
    size_t first_failed;      /* item; count = none */
    cf_status failure;        /* of that item */
} map_call;

/* Where an argument is a multiple of 8 bytes, a chunk's lie as the array's do. */
static cf_source_answer fill_from_array(void *context, unsigned char *args, size_t most,
                                        size_t *filled) {
    map_call *map = context;
    size_t size = map->task->arg_size;
    size_t left = map->count - map->sent;
    size_t count = left < most ? left : most;
    size_t together = size % 8 == 0 ? count : 1;
    for (size_t i = 0; i < count && size > 0; i += together) {
        memcpy(args + cfi_chunk_step(size) * i, map->args + (map->sent + i) * size,
               size * together);
    }
    map->sent += count;
    *filled = count;
    return count < most ? CF_SOURCE_END : CF_SOURCE_ITEM;
}

static void note(map_call *map, size_t item, const cf_exception *exception) {
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
        if (size > 0) {
            memcpy(to, result, size);
        }
        memset(to + size, 0, room - size);
    }
}

static void copy_piece(map_call *map, const cfi_piece *piece) {
    for (uint32_t i = 0; i < piece->count; i++) {
        cf_exception exception;
        size_t size;
        const void *result = cfi_piece_read(map->stream, piece, i, &exception, &size);
        copy_result(map, (size_t)piece->first + i, result, size);
        note(map, (size_t)piece->first + i, &exception);
    }
}

/* Items that were never sent. */
static void fail_rest(map_call *map, cf_status status) {
    const cf_exception exception = {.status = status, .worker = -1};
    for (size_t item = map->sent; item < map->count; item++) {
        copy_result(map, item, NULL, 0);
        note(map, item, &exception);
    }
}

static cf_status run_map(map_call *map) {
    for (;;) {
        cfi_piece *piece;
        cf_status status = cfi_stream_next_piece(map->stream, CF_FOREVER, &piece);
        switch (status) {
        case CF_OK:
            copy_piece(map, piece);
            cfi_stream_hand_out(map->stream, piece);
            break;
        case CF_EDEADLOCK: /* inside a task */
            cfi_stream_abandon(map->stream, status);
            break;
        default: /* CF_EEXHAUSTED, or why no more could be submitted */
            fail_rest(map, status);
            return map->first_failed < map->count ? map->failure : CF_OK;
        }
    }
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
        .first_failed = count,
    };
    const cf_stream_options stream_options = {
        .as_completed = true,
        .chunk = options->chunk < count ? options->chunk : count,
        .size_hint = count,
        .retries = options->retries,
        .timeout_ns = options->timeout_ns,
    };
    cf_status status =
        cfi_stream_create(executor, task, fill_from_array, &map, &stream_options, &map.stream);
    if (status == CF_OK) {
        status = run_map(&map);
        cf_stream_close(map.stream);
    }
    return status;
}
