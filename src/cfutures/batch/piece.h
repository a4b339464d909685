/* Pieces of a stream, and the stream itself.
 *
 * A piece is a row of items that share one fate: a chunk under way, the results of a chunk that is
 * done, or items that failed for one reason. All pieces of a stream are in a list, in the source's
 * order. Pieces that wait to be sent, or that are ready, are also in a queue. */
#ifndef CFUTURES_PIECE_H
#define CFUTURES_PIECE_H

#include "cfutures/waiting/watch.h"
#include "cfutures/worker/chunk.h"

#include "platform/assert.h"

/* Writes the arguments of up to `most` items to `args`, in steps of 8 bytes, and sets *count. Returns
 * CF_SOURCE_ITEM if there were `most`. Else the source has ended (CF_SOURCE_END), or has nothing right
 * now (CF_SOURCE_LATER). */
typedef cf_source_answer cfi_fill_fn(void *context, unsigned char *args, size_t most,
                                     size_t *count);

typedef struct cfi_piece {
    cfi_watch watch;     /* watch.future: the chunk under way, or its results; NULL = no results */
    uint64_t first;      /* item */
    uint32_t count;      /* items */
    uint32_t layout;     /* items that its slot or block is laid out for */
    uint32_t attempt;    /* of the first item */
    uint32_t handed_out; /* items */
    int64_t sent_ns;
    uint64_t block;        /* holds the arguments until the piece is sent; 0 = none */
    cf_future *origin;     /* an earlier task that holds the arguments; NULL = none */
    uint32_t origin_first; /* the piece's first item in that task's chunk */
    enum {
        CFI_PIECE_UNSENT,
        CFI_PIECE_SENT,
        CFI_PIECE_READY,
    } state;
    cf_exception exception; /* of all items, if READY without a task */
    cfi_node node;          /* in the source's order */
    cfi_link link;          /* in the queue of unsent or ready, or in the list of unused */
} cfi_piece;

struct cf_stream {
    cf_executor *executor;
    uint64_t fork_mark;
    cf_task task; /* its strings are copies that belong to the stream */
    cfi_fill_fn *fill;
    void *context;
    cf_stream_options options;
    size_t chunk;             /* items of the next chunk, */
    size_t chunk_max;         /* and of any chunk at most */
    double pace_ns;           /* time that an item takes; 0 = not known yet */
    int64_t poll_ns;          /* from one look for items to share out to the next */
    const cfi_direct *direct; /* NULL = arguments and results are copied */
    cfi_watch_set set;
    uint64_t taken; /* items, from the source */
    uint64_t handed_out;
    bool ended;              /* the source has no more items */
    bool source_empty;       /* the source had nothing when it was last asked */
    cf_status closed_reason; /* why submit refuses; CF_OK = it does not */
    cf_status retry_reason;  /* why pieces are unsent: CF_ENOMEM or CF_EFULL */
    int64_t until_ns;        /* how long submit waits for room, as in cfi_submission */
    bool submitted;          /* at least one chunk was submitted */
    size_t under_way;        /* pieces */
    cfi_chain pieces;        /* in the source's order */
    cfi_list ready;          /* as_completed: in the order in which they became ready */
    cfi_list unsent;
    cfi_list unused;
    cfi_piece *held;      /* has the item that was handed out last: its result must stay valid */
    cf_source_fn *source; /* of a public stream, called by `fill` */
    void *source_context;
};

/* ---- lists ----------------------------------------------------------------------------------- */

/* Adds a piece after `previous` (NULL = at the end). NULL: no memory. */
cfi_piece *cfi_piece_add(cf_stream *stream, cfi_piece *previous, uint64_t first, size_t count);

/* Removes the piece, and releases all that it holds. */
void cfi_piece_drop(cf_stream *stream, cfi_piece *piece);

/* NULL: there is none. */
static inline cfi_piece *cfi_piece_first(const cf_stream *stream) {
    cfi_node *node = stream->pieces.first;
    return node != NULL ? CFI_ENTRY(node, cfi_piece, node) : NULL;
}

static inline cfi_piece *cfi_piece_next(const cfi_piece *piece) {
    cfi_node *node = piece->node.next;
    return node != NULL ? CFI_ENTRY(node, cfi_piece, node) : NULL;
}

static inline cfi_piece *cfi_piece_take(cfi_list *list) {
    cfi_link *link = cfi_list_take(list);
    return link != NULL ? CFI_ENTRY(link, cfi_piece, link) : NULL;
}

/* For assertions. The pieces beside it have none of its items. */
static inline bool cfi_piece_is_in_order(const cfi_piece *piece) {
    const cfi_node *before = piece->node.previous, *after = piece->node.next;
    const cfi_piece *earlier = before != NULL ? CFI_ENTRY(before, cfi_piece, node) : NULL;
    const cfi_piece *later = after != NULL ? CFI_ENTRY(after, cfi_piece, node) : NULL;
    return (earlier == NULL || earlier->first + earlier->count <= piece->first) &&
           (later == NULL || piece->first + piece->count <= later->first);
}

/* For assertions. In how many places its arguments lie: one, and none before they are written. */
static inline int cfi_piece_places(const cfi_piece *piece) {
    return (piece->block != 0) + (piece->origin != NULL) + (piece->watch.future != NULL);
}

/* ---- how a piece ends ------------------------------------------------------------------------ */

void cfi_piece_make_ready(cf_stream *stream, cfi_piece *piece);

/* All its items end like this. Their arguments stay in place until the items are handed out. */
void cfi_piece_fail(cf_stream *stream, cfi_piece *piece, const cf_exception *exception);
void cfi_piece_fail_with(cf_stream *stream, cfi_piece *piece, cf_status status);

/* The piece's arguments stay in this task's chunk, from its item `first` on. So the source is asked
 * for each item once, nothing is copied in case a worker dies, and the user sees the argument of an
 * item that failed. */
void cfi_piece_keep_args_in(cfi_piece *piece, cf_future *future, uint32_t first);

/* ---- what is in a piece ---------------------------------------------------------------------- */

/* Bytes of argument and result of a chunk of `count` items. */
static inline size_t cfi_piece_arg_room(const cf_stream *stream, size_t count) {
    return stream->direct != NULL ? sizeof(cfi_chunk_header)
                                  : cfi_chunk_arg_size(stream->task.arg_size, count);
}

static inline size_t cfi_piece_result_room(const cf_stream *stream, size_t count) {
    return stream->direct != NULL ? sizeof(cfi_chunk_progress)
                                  : cfi_chunk_result_size(stream->task.result_size, count);
}

static inline cfi_chunk_header *cfi_piece_header_in(const cf_stream *stream, uint64_t block) {
    cfi_assert(block >= CFI_FIXED_BYTES);
    return (cfi_chunk_header *)(void *)(stream->executor->queue.base + block);
}

/* The worker's notes on a piece with a task. Whatever they say is checked before it is used. */
static inline cfi_chunk_progress *cfi_piece_progress_of(const cf_stream *stream,
                                                        const cfi_piece *piece) {
    cfi_assert(piece->watch.set == &stream->set && piece->state != CFI_PIECE_UNSENT);
    return (cfi_chunk_progress *)(void *)cfi_future_result(piece->watch.future,
                                                           stream->executor->queue.base);
}

/* The same for a ready piece; NULL if it has no results. */
const cfi_chunk_progress *cfi_piece_progress(const cf_stream *stream, const cfi_piece *piece);

/* How item i of a ready piece ended, and its result (NULL if it has none). */
const void *cfi_piece_read(const cf_stream *stream, const cfi_piece *piece, uint32_t i,
                           cf_exception *exception, size_t *size);

/* The argument of item i of a piece; NULL if items have none. */
const void *cfi_piece_arg(const cf_stream *stream, const cfi_piece *piece, uint32_t i);

#endif
