/* A window of chunks over the items of a source.
 *
 *      source ──fill──▶ block ──submit──▶ [ piece | piece | piece | ... in the source's order ]
 *                                              │ done: put among the ready
 *                                              ▼
 *                       next: the oldest piece if it is ready, or the first that became ready
 *
 *   - Pieces are rows of items that share one fate (batch/piece.h). A chunk whose run was cut short
 *     breaks into up to three: the items that are done, the item that was running (unless it is
 *     tried again), and the rest, which is sent again. The arguments stay in the old slot.
 *   - An idle worker gets half of the items that another has not begun (batch/share_out.h). The
 *     caller sees to that before it waits, and looks now and then while it waits.
 *   - At most `window` items are taken from the source and not yet handed out. Results stay in
 *     place until they are handed out.
 *   - Only arguments that are sent again or shared out are copied.
 *   - If the executor has no memory or room, the stream waits for one of its own chunks to come
 *     back. If none is under way, see cfi_stream_wait_for_others.
 *   - One thread at a time makes these calls, and holds no lock while it calls the source.
 *   - Threads and processes share only the slots: worker/chunk.h says who writes what in a chunk,
 *     waiting/watch.h how a chunk that is done is found. */
#ifndef CFUTURES_WINDOW_H
#define CFUTURES_WINDOW_H

#include "cfutures/batch/piece.h"

/* Makes a stream on `fill`, without calling it. Checks task and options. direct: the arrays of all
 * items, which are used in place and not copied (then fill only counts); NULL = none. */
cf_status cfi_stream_create(cf_executor *executor, const cf_task *task, cfi_fill_fn *fill,
                            void *context, const cfi_direct *direct,
                            const cf_stream_options *options, cf_stream **stream);

/* Submits what the window has room for. */
void cfi_stream_top_up(cf_stream *stream);

/* Waits for the next piece whose items are ready to be read, in the stream's order. CF_OK,
 * CF_ETIMEDOUT, CF_ELATER, CF_EDEADLOCK, CF_EEXHAUSTED or why it ended before its source. */
cf_status cfi_stream_next_piece(cf_stream *stream, int64_t deadline_ns, cfi_piece **piece);

/* Called when pieces are unsent, none is under way that could make room, and none can be handed
 * out. If the tasks of others fill the executor, it waits for room, as submit would, but not inside
 * a task of this executor. Otherwise the unsent items fail. */
cf_status cfi_stream_wait_for_others(cf_stream *stream, int64_t deadline_ns);

/* All items of the piece have been read: makes room for others. */
void cfi_stream_hand_out(cf_stream *stream, cfi_piece *piece);

/* Gives up waiting: pieces that are not ready fail with this status, and no more are submitted. */
void cfi_stream_abandon(cf_stream *stream, cf_status status);

/* As the public calls: close gives up all pieces, stop keeps those that are done. */
void cfi_stream_close(cf_stream *stream);
void cfi_stream_stop(cf_stream *stream);

#endif
