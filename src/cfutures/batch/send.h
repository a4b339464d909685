/* Sending chunks: new items of the source, or items whose arguments lie in an earlier task's chunk.
 *
 * When submit has no memory or no room (CF_ENOMEM, CF_EFULL), the piece waits among the unsent and
 * is tried again. With any other status the piece fails, and the stream submits no more. */
#ifndef CFUTURES_SEND_H
#define CFUTURES_SEND_H

#include "cfutures/batch/piece.h"

/* Sends the next items of the source, up to `most`. False: the source has no more now, or there is
 * no memory. */
bool cfi_send_next_chunk(cf_stream *stream, size_t most);

/* Sends a piece whose arguments lie in its block, or in an earlier task's chunk. */
void cfi_send_piece(cf_stream *stream, cfi_piece *piece);

/* Tries each unsent piece once. */
void cfi_send_unsent(cf_stream *stream);

/* ---- the parts, for share_out.c -------------------------------------------------------------- */

/* A block for a chunk of `count` items. 0: no memory. */
uint64_t cfi_send_take_block(cf_stream *stream, size_t count);

/* Copies the piece's arguments into its block, from the item `from` of a task's chunk on. */
void cfi_send_copy_args(cf_stream *stream, cfi_piece *piece, const cf_future *future,
                        uint32_t from);

/* Writes the header before the arguments, and resets the worker's notes. */
void cfi_send_write_header(cf_stream *stream, const cfi_piece *piece);

/* The chunk as a task. */
cf_task cfi_send_task(const cf_stream *stream, const cfi_piece *piece);

/* The piece was submitted: its block belongs to the task now, and its future is watched. */
void cfi_send_note(cf_stream *stream, cfi_piece *piece, cf_future *future);

#endif
