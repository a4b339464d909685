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

#include "cfutures/worker/chunk.h"
#include "cfutures/waiting/watch.h"

/* Writes the arguments of up to `most` items to `args`, in steps of 8 bytes; sets *count to how many.
 * Fewer if there are no more (CF_SOURCE_END) or none right now (CF_SOURCE_LATER); else
 * CF_SOURCE_ITEM. */
typedef cf_source_answer cfi_fill_fn(void *context, unsigned char *args, size_t most,
                                     size_t *count);

typedef struct cfi_piece {
    cfi_watch watch;  /* its slot: of the chunk under way, or of the results; NULL = no results */
    uint64_t first;   /* item */
    uint32_t count;   /* items */
    uint32_t layout;  /* items of the chunk as its slot has it */
    uint32_t attempt; /* of the first item */
    uint32_t handed_out; /* items */
    int64_t sent_ns;
    uint64_t block;        /* without a slot: holds the arguments; or */
    cfi_slot *origin;      /* an earlier slot does, */
    uint32_t origin_first; /* from this of its items on */
    enum {
        CFI_PIECE_UNSENT,
        CFI_PIECE_SENT,
        CFI_PIECE_READY,
    } state;
    cf_exception exception;            /* READY without a slot: of all items */
    struct cfi_piece *next, *previous; /* in the source's order */
    struct cfi_piece *queue_next;      /* among the unsent or the ready, or unused */
} cfi_piece;

typedef struct cfi_piece_queue {
    cfi_piece *first, *last;
} cfi_piece_queue;

struct cf_stream {
    cf_executor *executor;
    uint64_t fork_mark;
    cf_task task; /* its strings are the stream's own */
    cfi_fill_fn *fill;
    void *context;
    cf_stream_options options;
    size_t chunk;             /* items of the next one, */
    size_t chunk_most;        /* and at most */
    double pace_ns;           /* what an item takes; 0 = not known yet */
    int64_t look_ns;          /* until it looks again what could be shared out */
    const cfi_direct *direct; /* NULL = arguments and results are copied */
    cfi_watch_set set;
    uint64_t taken; /* items, from the source */
    uint64_t handed_out;
    bool ended;              /* the source */
    bool later;              /* the source had nothing when it was last asked */
    cf_status refused;       /* why no more can be submitted; CF_OK = more can */
    cf_status lacking;       /* what the unsent pieces wait for: CF_ENOMEM or CF_EFULL */
    int64_t until_ns;        /* waits until then for room among pending tasks; 0 = not at all */
    bool submitted;          /* at least one chunk */
    size_t under_way;        /* pieces */
    cfi_piece *first, *last; /* in the source's order */
    cfi_piece_queue ready;   /* as completed: in the order in which they became so */
    cfi_piece_queue unsent;
    cfi_piece *unused;
    cfi_piece *held;      /* an item of it was handed out last: its result must stay */
    cf_source_fn *source; /* the public stream's, behind `fill` */
    void *source_context;
};

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

/* What the worker noted of a ready piece; NULL if it has no results. */
const cfi_chunk_progress *cfi_piece_progress(const cf_stream *stream, const cfi_piece *piece);

/* How item number i of a ready piece ended, and its result (NULL if it has none). */
const void *cfi_piece_read(const cf_stream *stream, const cfi_piece *piece, uint32_t i,
                           cf_exception *exception, size_t *size);

/* The argument of item number i of a piece; NULL if items have none. */
const void *cfi_piece_arg(const cf_stream *stream, const cfi_piece *piece, uint32_t i);

#endif
