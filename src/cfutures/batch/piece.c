#include "cfutures/batch/piece.h"

#include "cfutures/core/reference.h"
#include "cfutures/core/submission.h"

#include "platform/assert.h"
#include "platform/refusal.h"

#include <stdlib.h>

/* ---- lists ----------------------------------------------------------------------------------- */

cfi_piece *cfi_piece_add(cf_stream *stream, cfi_piece *previous, uint64_t first, size_t count) {
    cfi_piece *piece = cfi_piece_take(&stream->unused);
    cfi_assert(count > 0 && count <= UINT32_MAX);
    if (piece == NULL && (piece = plat_noted(malloc(sizeof *piece))) == NULL) {
        return NULL;
    }
    *piece = (cfi_piece){
        .first = first,
        .count = (uint32_t)count,
        .layout = (uint32_t)count,
        .attempt = 1,
    };
    cfi_chain_insert(&stream->pieces, previous != NULL ? &previous->node : NULL, &piece->node);
    return piece;
}

static void give_block(cf_stream *stream, cfi_piece *piece) {
    cfi_assert(cfi_piece_places(piece) <= 1);
    if (piece->block != 0) {
        cfi_executor_give_block(stream->executor, piece->block,
                                cfi_piece_arg_room(stream, piece->layout),
                                cfi_piece_result_room(stream, piece->layout));
        piece->block = 0;
    }
    if (piece->origin != NULL) {
        cfi_future_release(piece->origin);
        piece->origin = NULL;
    }
}

void cfi_piece_drop(cf_stream *stream, cfi_piece *piece) {
    cfi_assert(piece->watch.future == NULL || piece->watch.set == &stream->set);
    give_block(stream, piece);
    cfi_watch_end(&piece->watch);
    cfi_chain_remove(&stream->pieces, &piece->node);
    cfi_list_prepend(&stream->unused, &piece->link);
}

/* ---- how a piece ends ------------------------------------------------------------------------ */

void cfi_piece_make_ready(cf_stream *stream, cfi_piece *piece) {
    cfi_assert(piece->state != CFI_PIECE_READY && piece->count > 0);
    cfi_assert(cfi_piece_places(piece) == 1);
    piece->state = CFI_PIECE_READY;
    if (stream->options.as_completed) {
        cfi_list_append(&stream->ready, &piece->link);
    }
}

void cfi_piece_keep_args_in(cfi_piece *piece, cf_future *future, uint32_t first) {
    cfi_assert(piece->origin == NULL && piece->block == 0);
    cfi_future_retain(future);
    piece->origin = future;
    piece->origin_first = first;
}

void cfi_piece_fail(cf_stream *stream, cfi_piece *piece, const cf_exception *exception) {
    cfi_assert(exception->status != CF_OK && piece->handed_out == 0);
    if (piece->watch.future != NULL) {
        cfi_piece_keep_args_in(piece, piece->watch.future, 0);
        cfi_watch_end(&piece->watch);
    }
    piece->exception = *exception;
    cfi_piece_make_ready(stream, piece);
}

void cfi_piece_fail_with(cf_stream *stream, cfi_piece *piece, cf_status status) {
    cfi_piece_fail(stream, piece, &(cf_exception){.status = status, .worker = -1});
}

/* ---- what is in a piece ---------------------------------------------------------------------- */

const cfi_chunk_progress *cfi_piece_progress(const cf_stream *stream, const cfi_piece *piece) {
    return piece->watch.future != NULL ? cfi_piece_progress_of(stream, piece) : NULL;
}

const void *cfi_piece_read(const cf_stream *stream, const cfi_piece *piece, uint32_t i,
                           cf_exception *exception, size_t *size) {
    const cf_future *future = piece->watch.future;
    cfi_assert(piece->state == CFI_PIECE_READY && i < piece->count);
    *size = 0;
    if (future == NULL) {
        *exception = piece->exception;
        return NULL;
    }
    const cfi_chunk_progress *progress = cfi_piece_progress_of(stream, piece);
    cfi_chunk_ending ending =
        cfi_chunk_ending_of(progress, stream->task.result_size, piece->layout, i);
    *exception = (cf_exception){
        .worker = (int)cfi_word_owner(plat_load_relaxed(&cfi_slot_of(future)->word))};
    if (ending.result_size == CFI_CHUNK_LATE) {
        exception->status = CF_EDEADLINE;
        exception->timeout_ns = stream->options.timeout_ns;
    } else if (ending.error != 0) {
        exception->status = CF_ETASK;
        exception->task_error = ending.error;
    } else if (stream->task.result_size > 0) {
        size_t room = stream->task.result_size;
        *size = ending.result_size < room ? ending.result_size : room;
        return cfi_chunk_results(progress) + cfi_chunk_step(room) * i;
    }
    return NULL;
}

const void *cfi_piece_arg(const cf_stream *stream, const cfi_piece *piece, uint32_t i) {
    const cf_future *future = piece->origin != NULL ? piece->origin : piece->watch.future;
    cfi_assert(piece->state == CFI_PIECE_READY && i < piece->count);
    cfi_assert(cfi_piece_places(piece) == 1 && stream->direct == NULL);
    char *base = stream->executor->queue.base;
    cfi_chunk_header *header = future != NULL ? (void *)cfi_future_arg(future, base)
                                              : cfi_piece_header_in(stream, piece->block);
    size_t size = stream->task.arg_size;
    return size > 0 ? cfi_chunk_args(header) + cfi_chunk_step(size) * (piece->origin_first + i)
                    : NULL;
}
