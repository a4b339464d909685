#include "cfutures/batch/share_out.h"

#include "cfutures/batch/pace.h"
#include "cfutures/batch/send.h"
#include "cfutures/core/submission.h"
#include "cfutures/queue/tuning.h"

#include "platform/assert.h"
#include "platform/clock.h"
#include "platform/fault.h"

/* There are more workers than pieces under way, and no piece waits to be sent. */
static bool lacks_pieces(const cf_stream *stream) {
    return cfi_pace_is_adaptive(stream) && stream->closed_reason == CF_OK &&
           stream->under_way > 0 && cfi_list_is_empty(&stream->unsent) &&
           stream->under_way < plat_load_relaxed(&stream->executor->started);
}

static bool some_worker_is_idle(const cf_stream *stream) {
    const cf_executor *executor = stream->executor;
    return !cfi_queue_has_work(&executor->queue) &&
           cfi_queue_has_idle_worker(&executor->queue, plat_load_relaxed(&executor->started));
}

/* An estimate of the time for the items that the worker has not begun; 0 = it has begun all. */
static double left_ns(const cf_stream *stream, const cfi_piece *piece, int64_t now_ns) {
    const cfi_chunk_progress *progress = cfi_piece_progress_of(stream, piece);
    uint32_t begun = plat_load_acquire(&progress->begun);
    uint32_t end = piece->count;
    cfi_assert(piece->sent_ns <= now_ns);
    if (begun >= end) {
        return 0;
    }
    if (begun == 0) {
        return 1; /* nothing is known yet: not shared out now, but worth another look */
    }
    double pace_ns = (double)(now_ns - piece->sent_ns) / begun;
    return (end - begun) * (pace_ns > stream->pace_ns ? pace_ns : stream->pace_ns);
}

/* NULL: no piece is worth sharing out. *most_ns: the time that the longest one has left. */
static cfi_piece *longest_left(const cf_stream *stream, double *most_ns) {
    int64_t now_ns = plat_now_ns();
    cfi_piece *longest = NULL;
    *most_ns = 0;
    for (cfi_piece *piece = cfi_piece_first(stream); piece != NULL; piece = cfi_piece_next(piece)) {
        double ns = piece->state == CFI_PIECE_SENT ? left_ns(stream, piece, now_ns) : 0;
        if (ns > *most_ns) {
            *most_ns = ns;
            longest = piece;
        }
    }
    return *most_ns >= CFI_TAKE_BACK_NS ? longest : NULL;
}

/* Takes back half of the items that a running chunk's worker has not begun, and submits them as a
 * new piece. Its place in the queue is reserved before anything is taken back, so that no item can
 * be lost. False: not now. */
static bool send_half(cf_stream *stream, cfi_piece *piece) {
    cf_executor *executor = stream->executor;
    cfi_assert(piece->state == CFI_PIECE_SENT);
    cfi_piece *rest = cfi_piece_add(stream, piece, 0, piece->count);
    if (rest == NULL) {
        return false;
    }
    rest->block = cfi_send_take_block(stream, rest->layout);
    const cf_task task = cfi_send_task(stream, rest);
    const cfi_submission submission = {.task = &task, .block = rest->block};
    cf_future *future;
    if (rest->block == 0 || cfi_submission_reserve(executor, &submission, &future) != CF_OK) {
        cfi_piece_drop(stream, rest);
        return false;
    }
    plat_fault_point(TAKE_BACK_RESERVED);
    uint32_t kept = cfi_chunk_take_back(cfi_piece_progress_of(stream, piece), piece->count,
                                        executor->queue.shared);
    if (kept == 0) {
        cfi_submission_abandon(executor, future);
        cfi_piece_drop(stream, rest);
        return false;
    }
    cfi_assert(kept < piece->count);
    rest->first = piece->first + kept;
    rest->count = piece->count - kept;
    piece->count = kept;
    cfi_assert(cfi_piece_is_in_order(piece) && cfi_piece_is_in_order(rest));
    plat_fault_point(TAKE_BACK_DONE);
    cfi_send_copy_args(stream, rest, piece->watch.future, kept);
    cfi_send_write_header(stream, rest);
    cfi_submission_publish(executor, &submission, future);
    cfi_send_note(stream, rest, future);
    plat_fault_point(TAKE_BACK_SENT);
    return true;
}

int64_t cfi_share_out(cf_stream *stream) {
    double most_ns = 0;
    bool sent = true;
    while (sent && lacks_pieces(stream)) {
        cfi_piece *piece = longest_left(stream, &most_ns);
        sent = piece != NULL && some_worker_is_idle(stream) && send_half(stream, piece);
    }
    if (most_ns == 0 || !lacks_pieces(stream)) {
        return -1;
    }
    int64_t poll_ns = plat_now_ns() + stream->poll_ns;
    stream->poll_ns = stream->poll_ns < CFI_POLL_MAX_NS / 2 ? stream->poll_ns * 2 : CFI_POLL_MAX_NS;
    cfi_assert(stream->poll_ns >= CFI_POLL_NS && stream->poll_ns <= CFI_POLL_MAX_NS);
    return poll_ns;
}
