/* The public stream: takes items one by one from a source, and hands results out one by one. */
#include "cfutures/batch/window.h"

#include "platform/assert.h"
#include "platform/clock.h"
#include "platform/fork_mark.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A source may have no item yet (CF_SOURCE_LATER). If it waited for its input instead, it would
 * hold back results that are done. If it ended the stream, the stream could not go on.
 * cf_stream_next waits for the chunks under way then, and returns CF_ELATER if there are none. */
static cf_source_answer fill_from_source(void *context, unsigned char *args, size_t most,
                                         size_t *count) {
    cf_stream *stream = context;
    size_t size = stream->task.arg_size;
    cfi_assert(*count == 0 && !stream->ended);
    for (; *count < most; ++*count) {
        void *arg = size > 0 ? args + cfi_chunk_step(size) * *count : NULL;
        if (size > 0 && !stream->task.unzeroed) {
            memset(arg, 0, cfi_chunk_step(size));
        }
        cf_source_answer answer = stream->source(stream->source_context, arg);
        if (answer != CF_SOURCE_ITEM) {
            return answer;
        }
    }
    return CF_SOURCE_ITEM;
}

cf_status cf_stream_open(cf_executor *executor, const cf_task *task, cf_source_fn *source,
                         void *context, const cf_stream_options *options, cf_stream **stream) {
    static const cf_stream_options default_options;
    if (stream == NULL) {
        return CF_EINVAL;
    }
    *stream = NULL;
    if (source == NULL) {
        return CF_EINVAL;
    }
    cf_stream *made;
    cf_status status = cfi_stream_create(executor, task, fill_from_source, NULL, NULL,
                                         options != NULL ? options : &default_options, &made);
    if (status != CF_OK) {
        return status;
    }
    made->context = made;
    made->source = source;
    made->source_context = context;
    cfi_stream_top_up(made);
    if (!made->submitted && !cfi_list_is_empty(&made->unsent)) {
        cfi_stream_wait_for_others(made, executor->refuse_when_full ? 0 : -1);
    }
    if (!made->submitted && (made->closed_reason != CF_OK || !cfi_list_is_empty(&made->unsent))) {
        status = made->closed_reason != CF_OK ? made->closed_reason : made->retry_reason;
        cfi_stream_close(made);
        return status;
    }
    cfi_assert(made->submitted || made->ended || made->source_empty);
    *stream = made;
    return CF_OK;
}

/* Sets stream->held to the piece of the next item: the same one until all of it is handed out. */
static cf_status find_piece(cf_stream *stream, int64_t deadline_ns) {
    cfi_assert(stream->held == NULL || stream->held->state == CFI_PIECE_READY);
    if (stream->held != NULL && stream->held->handed_out < stream->held->count) {
        cfi_stream_top_up(stream);
        return CF_OK;
    }
    if (stream->held != NULL) {
        cfi_stream_hand_out(stream, stream->held);
        stream->held = NULL;
    }
    return cfi_stream_next_piece(stream, deadline_ns, &stream->held);
}

cf_status cf_stream_next(cf_stream *stream, int64_t timeout_ns, cf_stream_item *item) {
    if (stream == NULL || item == NULL) {
        return CF_EINVAL;
    }
    if (!plat_fork_mark_is_ours(stream->fork_mark)) {
        return CF_EFORKED;
    }
    cf_status status = find_piece(stream, plat_deadline_ns(timeout_ns));
    if (status != CF_OK) {
        return status;
    }
    cfi_piece *piece = stream->held;
    cfi_assert(piece->state == CFI_PIECE_READY && piece->handed_out < piece->count);
    cfi_assert(stream->handed_out < stream->taken);
    uint32_t i = piece->handed_out++;
    stream->handed_out++;
    item->index = piece->first + i;
    item->arg = cfi_piece_arg(stream, piece, i);
    item->result = cfi_piece_read(stream, piece, i, &item->exception, &item->result_size);
    return CF_OK;
}

cf_status cf_stream_get_progress(const cf_stream *stream, cf_stream_progress *progress) {
    if (stream == NULL || progress == NULL) {
        return CF_EINVAL;
    }
    if (!plat_fork_mark_is_ours(stream->fork_mark)) {
        return CF_EFORKED;
    }
    *progress = (cf_stream_progress){.taken = stream->taken, .handed_out = stream->handed_out};
    return CF_OK;
}

static bool is_usable(const cf_stream *stream) {
    return stream != NULL && plat_fork_mark_is_ours(stream->fork_mark);
}

void cf_stream_stop(cf_stream *stream) {
    if (is_usable(stream)) {
        cfi_stream_stop(stream);
    }
}

void cf_stream_close(cf_stream *stream) {
    if (is_usable(stream)) {
        cfi_stream_close(stream);
    }
}

char *cf_stream_describe(const cf_stream *stream, char *text, size_t size) {
    uint64_t tasks = stream->options.size_hint > 0 ? stream->options.size_hint : stream->taken;
    snprintf(text, size, "<cf_stream at %p, %s, %" PRIu64 " task%s>", (const void *)stream,
             stream->options.as_completed ? "as completed" : "ordered", tasks,
             tasks == 1 ? "" : "s");
    return text;
}
