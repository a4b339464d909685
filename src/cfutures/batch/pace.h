/* How many items a chunk has, and how many chunks are under way. pace sends nothing. */
#ifndef CFUTURES_PACE_H
#define CFUTURES_PACE_H

#include "cfutures/batch/piece.h"

/* True if the library chooses how many items a chunk has. */
static inline bool cfi_pace_is_adaptive(const cf_stream *stream) {
    return stream->options.chunk == 0;
}

/* Items to send now: a whole chunk if the window has room, less only to fill the first window. */
size_t cfi_pace_room(const cf_stream *stream);

/* True if the user chose the chunk's length, or the window, which is then filled. Otherwise only
 * few chunks are under way, so that few have the wrong length while the right one is found. */
bool cfi_pace_may_send(const cf_stream *stream);

/* Learns from a chunk that was run how many items the next one should have. */
void cfi_pace_learn(cf_stream *stream, const cfi_chunk_progress *progress);

/* How many items a worker takes at once. The caller cannot take those back, so they are few, and only
 * of tiny items more than one. */
uint32_t cfi_pace_together(const cf_stream *stream);

/* The most items of one chunk: the user's choice, else as many as fit CFI_CHUNK_SENT_BYTES (direct:
 * CFI_CHUNK_ITEMS). Never more than the window or a block holds, nor, with time limits, than a slot's
 * tick can count. */
size_t cfi_pace_max_in_chunk(const cf_executor *executor, const cf_task *task,
                             const cf_stream_options *options, bool direct);

#endif
