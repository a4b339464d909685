/* How many items go together, and how many are under way. Numbers alone: pace sends nothing. */
#ifndef CFUTURES_PACE_H
#define CFUTURES_PACE_H

#include "cfutures/batch/piece.h"

/* The library chooses how long a chunk is. */
static inline bool cfi_pace_is_adaptive(const cf_stream *stream) {
    return stream->options.chunk == 0;
}

/* Items that the window has room for now: a whole chunk; less only to fill the first window up. */
size_t cfi_pace_room(const cf_stream *stream);

/* A window that was wished for is filled. Else few chunks are under way, so that few are of the wrong
 * length while the right one is being found out. */
bool cfi_pace_may_send(const cf_stream *stream);

/* From a chunk that was run: how many items the next one should have. */
void cfi_pace_learn(cf_stream *stream, const cfi_chunk_progress *progress);

/* The most items of one chunk: as many as were wished for, or as are sent in CFI_CHUNK_SENT_BYTES. */
size_t cfi_pace_most_in_chunk(const cf_executor *executor, const cf_task *task,
                              const cf_stream_options *options, bool direct);

#endif
