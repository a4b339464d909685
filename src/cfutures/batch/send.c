#include "cfutures/batch/send.h"

#include "cfutures/batch/pace.h"
#include "cfutures/core/reference.h"
#include "cfutures/core/submission.h"

#include "platform/assert.h"
#include "platform/clock.h"

#include <string.h>

uint64_t cfi_send_take_block(cf_stream *stream, size_t count) {
    return cfi_executor_take_block(stream->executor, cfi_piece_arg_room(stream, count),
                                   cfi_piece_result_room(stream, count));
}

static void watch_future(cf_stream *stream, cfi_piece *piece, cf_future *future) {
    cfi_assert(cfi_piece_places(piece) == 0); /* the task has the arguments */
    cfi_watch_begun begun = cfi_watch_begin(&stream->set, &piece->watch, future, 0);
    cfi_assert(begun == CFI_WATCH_BEGUN); /* the set knows the executor, and never saw this task */
    (void)begun;
    piece->state = CFI_PIECE_SENT;
    stream->under_way++;
    cfi_future_release(future); /* the watch holds it */
}

/* The arrays of all items, from this item on. */
static cfi_direct direct_from(const cf_stream *stream, uint64_t item) {
    const cfi_direct *direct = stream->direct;
    if (direct == NULL) {
        return (cfi_direct){0};
    }
    return (cfi_direct){
        .args = direct->args != NULL ? direct->args + stream->task.arg_size * item : NULL,
        .results =
            direct->results != NULL ? direct->results + stream->task.result_size * item : NULL,
        .exceptions = direct->exceptions != NULL ? direct->exceptions + item : NULL,
    };
}

void cfi_send_write_header(cf_stream *stream, const cfi_piece *piece) {
    cfi_assert(piece->count > 0 && piece->count <= piece->layout);
    cfi_assert(piece->origin == NULL && piece->origin_first == 0); /* all are in the block */
    size_t result_at = cfi_result_offset(cfi_piece_arg_room(stream, piece->layout));
    *cfi_piece_header_in(stream, piece->block) = (cfi_chunk_header){
        .run = stream->task.run,
        .arg_size = stream->task.arg_size,
        .result_size = stream->task.result_size,
        .timeout_ns = stream->options.timeout_ns,
        .first = piece->first,
        .count = piece->count,
        .attempt = piece->attempt,
        .unzeroed = stream->task.unzeroed,
        .is_direct = stream->direct != NULL,
        .together = cfi_pace_together(stream),
        .direct = direct_from(stream, piece->first),
    };
    cfi_chunk_progress *progress =
        (void *)(stream->executor->queue.base + piece->block + result_at);
    *progress = (cfi_chunk_progress){.end = piece->count};
}

cf_task cfi_send_task(const cf_stream *stream, const cfi_piece *piece) {
    return (cf_task){
        .name = stream->task.name,
        .run = cfi_chunk_run,
        .arg_size = cfi_piece_arg_room(stream, piece->layout),
        .result_size = cfi_piece_result_room(stream, piece->layout),
        .result_type = stream->task.result_type,
        .unzeroed = true, /* cfi_chunk_run zeroes each item's result */
    };
}

void cfi_send_note(cf_stream *stream, cfi_piece *piece, cf_future *future) {
    cfi_assert(piece->block != 0 && piece->state == CFI_PIECE_UNSENT);
    piece->block = 0;
    piece->layout = piece->count;
    piece->sent_ns = cfi_pace_is_adaptive(stream) ? plat_now_ns() : 0;
    stream->submitted = true;
    watch_future(stream, piece, future);
}

/* The piece's block holds its arguments. */
static void submit_piece(cf_stream *stream, cfi_piece *piece) {
    cfi_assert(stream->closed_reason == CF_OK && piece->state == CFI_PIECE_UNSENT);
    cfi_send_write_header(stream, piece);
    const cf_task task = cfi_send_task(stream, piece);
    const cfi_submission submission = {
        .task = &task, .block = piece->block, .until_ns = stream->until_ns};
    cf_future *future;
    cf_status status = cfi_submission_submit(stream->executor, &submission, &future);
    if (status == CF_OK) {
        cfi_send_note(stream, piece, future);
    } else if (status == CF_ENOMEM || status == CF_EFULL) {
        stream->retry_reason = status;
        cfi_list_append(&stream->unsent, &piece->link);
    } else {
        stream->closed_reason = status;
        cfi_piece_fail_with(stream, piece, status);
    }
}

void cfi_send_copy_args(cf_stream *stream, cfi_piece *piece, const cf_future *future,
                        uint32_t from) {
    size_t step = cfi_chunk_step(stream->task.arg_size);
    if (stream->direct == NULL) {
        cfi_chunk_header *lies_in = (void *)cfi_future_arg(future, stream->executor->queue.base);
        cfi_assert(piece->count <= piece->layout);
        memcpy(cfi_chunk_args(cfi_piece_header_in(stream, piece->block)),
               cfi_chunk_args(lies_in) + step * from, step * piece->count);
    }
}

/* False: no memory yet. */
static bool fill_from_origin(cf_stream *stream, cfi_piece *piece) {
    cfi_assert(cfi_word_is_over(plat_peek(&cfi_slot_of(piece->origin)->word)));
    piece->block = cfi_send_take_block(stream, piece->count);
    if (piece->block == 0) {
        stream->retry_reason = CF_ENOMEM;
        return false;
    }
    cfi_send_copy_args(stream, piece, piece->origin, piece->origin_first);
    cfi_future_release(piece->origin);
    piece->origin = NULL;
    piece->origin_first = 0;
    return true;
}

void cfi_send_piece(cf_stream *stream, cfi_piece *piece) {
    cfi_assert(piece->state == CFI_PIECE_UNSENT && cfi_piece_places(piece) == 1);
    if (stream->closed_reason != CF_OK) {
        cfi_piece_fail_with(stream, piece, stream->closed_reason);
    } else if (piece->block == 0 && !fill_from_origin(stream, piece)) {
        cfi_list_append(&stream->unsent, &piece->link);
    } else {
        submit_piece(stream, piece);
    }
}

/* cfi_send_piece queues a piece again that still finds no memory or room. */
void cfi_send_unsent(cf_stream *stream) {
    cfi_list waiting = stream->unsent;
    cfi_piece *piece;
    stream->unsent = (cfi_list){0};
    while ((piece = cfi_piece_take(&waiting)) != NULL) {
        cfi_send_piece(stream, piece);
    }
    cfi_assert(cfi_list_is_empty(&stream->unsent) || stream->retry_reason != CF_OK);
}

/* A block for the next *most items of the source. If there is no memory for so many, and the
 * library chooses the chunk's length, *most is halved until there is. 0: no memory now. */
static uint64_t take_next_block(cf_stream *stream, size_t *most) {
    cfi_assert(*most > 0 && *most <= stream->chunk_max);
    uint64_t block = cfi_send_take_block(stream, *most);
    while (block == 0 && cfi_pace_is_adaptive(stream) && *most > 1) {
        *most /= 2;
        stream->chunk = stream->chunk_max = *most;
        block = cfi_send_take_block(stream, *most);
    }
    return block;
}

bool cfi_send_next_chunk(cf_stream *stream, size_t most) {
    cfi_assert(!stream->ended && stream->closed_reason == CF_OK);
    uint64_t block = take_next_block(stream, &most);
    cfi_piece *piece = block != 0 ? cfi_piece_add(stream, NULL, stream->taken, most) : NULL;
    if (piece == NULL) {
        if (block != 0) {
            cfi_executor_give_block(stream->executor, block, cfi_piece_arg_room(stream, most),
                                    cfi_piece_result_room(stream, most));
        }
        if (cfi_piece_first(stream) == NULL) { /* the stream has nothing that it could give back */
            stream->closed_reason = CF_ENOMEM;
        }
        return false;
    }
    piece->block = block;
    size_t count = 0;
    cf_source_answer answer = stream->fill(
        stream->context, cfi_chunk_args(cfi_piece_header_in(stream, block)), most, &count);
    cfi_assert(count <= most && (count == most || answer != CF_SOURCE_ITEM));
    stream->source_empty = answer == CF_SOURCE_LATER;
    stream->ended = answer != CF_SOURCE_ITEM && !stream->source_empty;
    if (count == 0) {
        cfi_piece_drop(stream, piece);
        return false;
    }
    piece->count = (uint32_t)count;
    stream->taken += count;
    cfi_assert(stream->options.window == 0 ||
               stream->taken - stream->handed_out <= stream->options.window);
    submit_piece(stream, piece);
    return answer == CF_SOURCE_ITEM;
}
