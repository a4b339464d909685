/* A window of chunks over what a source gives.
 *
 *      source ──fill──▶ block ──submit──▶ [ piece | piece | piece | ... in the source's order ]
 *                                              │ done: put among the ready
 *                                              ▼
 *                       next: the oldest piece if it is ready, or whichever became so first
 *
 * A piece is a row of items that stand or fall together: a chunk under way, the results of one that
 * is done, or items that failed for one reason. A chunk whose worker died breaks into up to three
 * of them: what was done, the item that was running (if it is not tried again), and the rest, which
 * is sent again. Its arguments still lie in the old slot, so the source is asked for each item
 * once.
 *
 * While a worker has nothing to do and nothing is left to be sent, it gets half of what another has
 * of its chunk and has not begun (chunk.h): the piece then ends earlier, and the rest is a piece of its
 * own. Its place with the executor is made sure of before anything is taken back. The caller does
 * that when it comes by, and it looks now and then while it waits.
 *
 * Bounded: no more than `window` items are taken from the source and not yet handed out, at all
 * times; results stay where they are until they are handed out. Nothing is copied but arguments
 * that are sent again. Where the executor has no memory the stream waits for one of its own chunks
 * to come back; only where none is under way do items fail for that.
 *
 * One thread at a time calls all of this, and no lock is held while it calls the source. What the
 * threads and processes share is the slots: see chunk.h for who writes what in a chunk, watch.h for
 * how one that is done is found. */
#ifndef CFUTURES_WINDOW_H
#define CFUTURES_WINDOW_H

#include "cfutures/batch/piece.h"

/* A stream on `fill`, which it has not called yet. `options` are checked here, sizes too. direct: the
 * arrays of all items, to be used in place and not copied (then fill only counts); NULL = none. */
cf_status cfi_stream_create(cf_executor *executor, const cf_task *task, cfi_fill_fn *fill,
                            void *context, const cfi_direct *direct,
                            const cf_stream_options *options, cf_stream **stream);

/* Submits what the window has room for. */
void cfi_stream_top_up(cf_stream *stream);

/* Waits for the next piece whose items are ready to be read, in the stream's order. CF_OK,
 * CF_ETIMEDOUT, CF_ELATER, CF_EDEADLOCK, CF_EEXHAUSTED or why it ended before its source. */
cf_status cfi_stream_next_piece(cf_stream *stream, int64_t deadline_ns, cfi_piece **piece);

/* None is under way that could come back and make room, and none can be handed out. Where only others'
 * tasks are in the way it waits for them, as submit would; else the items fail. */
cf_status cfi_stream_wait_for_others(cf_stream *stream, int64_t deadline_ns);

/* All items of the piece have been read: makes room for others. */
void cfi_stream_hand_out(cf_stream *stream, cfi_piece *piece);

/* Gives up waiting: what is not ready fails with this status, nothing more is submitted. */
void cfi_stream_abandon(cf_stream *stream, cf_status status);

/* Handles of the public stream. close gives up what is under way; stop keeps what is done. */
void cfi_stream_close(cf_stream *stream);
void cfi_stream_stop(cf_stream *stream);

#endif
