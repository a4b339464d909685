/* Pieces of a stream, and the stream itself.
 *
 * A piece is a row of items that share one fate: a chunk under way, the results of a chunk that is
 * done, or items that failed for one reason. All pieces of a stream lie in a list in the source's
 * order; those that wait to be sent, or are ready, are in a queue besides. */
#ifndef CFUTURES_PIECE_H
#define CFUTURES_PIECE_H

#include "cfutures/waiting/watch.h"
#include "cfutures/worker/chunk.h"

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

/* ---- lists -------------------------------------------------------------------------------------- */

/* A new piece behind `previous` (NULL = at the end). NULL: no memory. */
cfi_piece *cfi_piece_add(cf_stream *stream, cfi_piece *previous, uint64_t first, size_t count);

/* Gives up the piece and all that it holds. */
void cfi_piece_drop(cf_stream *stream, cfi_piece *piece);

void cfi_piece_enqueue(cfi_piece_queue *queue, cfi_piece *piece);
cfi_piece *cfi_piece_dequeue(cfi_piece_queue *queue); /* NULL: the queue is empty */

/* ---- how a piece ends --------------------------------------------------------------------------- */

void cfi_piece_make_ready(cf_stream *stream, cfi_piece *piece);

/* All its items end like this. Their arguments stay where they are until they are handed out. */
void cfi_piece_fail(cf_stream *stream, cfi_piece *piece, const cf_exception *exception);
void cfi_piece_fail_with(cf_stream *stream, cfi_piece *piece, cf_status status);

/* The piece's arguments lie in this slot's chunk, from its item number `first` on. */
void cfi_piece_keep_args_in(cfi_piece *piece, cfi_slot *slot, uint32_t first);

/* ---- what is in a piece ------------------------------------------------------------------------- */

/* Bytes of argument and result of a chunk of so many items. */
static inline size_t cfi_piece_arg_room(const cf_stream *stream, size_t count) {
    return stream->direct != NULL ? sizeof(cfi_chunk_header)
                                  : cfi_chunk_arg_size(stream->task.arg_size, count);
}

static inline size_t cfi_piece_result_room(const cf_stream *stream, size_t count) {
    return stream->direct != NULL ? sizeof(cfi_chunk_progress)
                                  : cfi_chunk_result_size(stream->task.result_size, count);
}

static inline cfi_chunk_header *cfi_piece_header_in(const cf_stream *stream, uint64_t block) {
    return (cfi_chunk_header *)(void *)(stream->executor->queue.base + block);
}

/* What the worker has noted of a piece with a slot. */
static inline cfi_chunk_progress *cfi_piece_progress_of(const cf_stream *stream,
                                                        const cfi_piece *piece) {
    return cfi_slot_result(piece->watch.slot, stream->executor->queue.base);
}

/* The same of a ready piece; NULL if it has no results. */
const cfi_chunk_progress *cfi_piece_progress(const cf_stream *stream, const cfi_piece *piece);

/* How item number i of a ready piece ended, and its result (NULL if it has none). */
const void *cfi_piece_read(const cf_stream *stream, const cfi_piece *piece, uint32_t i,
                           cf_exception *exception, size_t *size);

/* The argument of item number i of a piece; NULL if items have none. */
const void *cfi_piece_arg(const cf_stream *stream, const cfi_piece *piece, uint32_t i);

#endif
