/* Sharing out what is under way: while a worker has nothing to do and nothing is left to be sent, it
 * gets half of what another has of its chunk and has not begun. */
#ifndef CFUTURES_SHARE_OUT_H
#define CFUTURES_SHARE_OUT_H

#include "cfutures/batch/piece.h"

/* The waiting caller calls this when it comes by. Returns when to look again whether something can be
 * shared out; -1 = never. */
int64_t cfi_share_out(cf_stream *stream);

#endif
