/* Sending chunks: from the source, or again from where their arguments lie.
 *
 * When the executor has no memory or no room (CF_ENOMEM, CF_EFULL) a piece waits among the unsent,
 * and is tried again. For any other reason it fails, and the stream submits no more. */
#ifndef CFUTURES_SEND_H
#define CFUTURES_SEND_H

#include "cfutures/batch/piece.h"

/* The next items out of the source, up to `most`. False: the source has no more now, or there is no
 * memory. */
bool cfi_send_next_chunk(cf_stream *stream, size_t most);

/* A piece whose arguments lie in its block, or in an earlier slot. */
void cfi_send_piece(cf_stream *stream, cfi_piece *piece);

/* All that wait, once each. */
void cfi_send_unsent(cf_stream *stream);

/* ---- the parts, for share_out.c --------------------------------------------------------------- */

/* A block for a chunk of so many items. 0: no memory. */
uint64_t cfi_send_take_block(cf_stream *stream, size_t count);

/* The piece's arguments into its block, from a slot's chunk, from its item number `from` on. */
void cfi_send_copy_args(cf_stream *stream, cfi_piece *piece, cfi_slot *slot, uint32_t from);

/* What stands before the arguments, and what the worker notes. */
void cfi_send_write_header(cf_stream *stream, const cfi_piece *piece);

/* The chunk as a task. */
cf_task cfi_send_task(const cf_stream *stream, const cfi_piece *piece);

/* The piece was submitted: its block is the task's, and its future is watched. */
void cfi_send_note(cf_stream *stream, cfi_piece *piece, cf_future *future);

#endif
