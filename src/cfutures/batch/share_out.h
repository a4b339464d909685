/* Sharing out a running chunk: an idle worker gets half of the items that another has not begun.
 *
 * A chunk whose length suited the items so far may turn out to hold the slow ones. So a length that
 * the library chose is not final. When a worker is idle and the stream has nothing to send, the
 * caller takes items back from the chunk that has most left. That piece then ends earlier, and the
 * rest becomes a piece of its own. It costs the caller some 2 us, and the worker's loop one load an
 * item (worker/chunk.h). */
#ifndef CFUTURES_SHARE_OUT_H
#define CFUTURES_SHARE_OUT_H

#include "cfutures/batch/piece.h"

/* Shares out what it can. The caller calls it before it waits, and looks again at the time that it
 * returns; -1 = never. */
int64_t cfi_share_out(cf_stream *stream);

#endif
