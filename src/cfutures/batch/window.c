#include "cfutures/batch/window.h"

#include "cfutures/core/deadline.h"
#include "cfutures/core/ending.h"
#include "cfutures/queue/tuning.h"

#include "platform/clock.h"
#include "platform/fork_mark.h"

#include <stdlib.h>
#include <string.h>

/* ---- pieces ---------------------------------------------------------------------------------- */

static cfi_piece *unused_piece(cf_stream *stream) {
    cfi_piece *piece = stream->unused;
    if (piece == NULL) {
        return malloc(sizeof *piece);
    }
    stream->unused = piece->queue_next;
    return piece;
}

/* A new piece behind `previous` (NULL = at the end). NULL when there is no memory. */
static cfi_piece *add_piece(cf_stream *stream, cfi_piece *previous, uint64_t first, size_t count) {
    cfi_piece *piece = unused_piece(stream);
    if (piece == NULL) {
        return NULL;
    }
    if (previous == NULL) {
        previous = stream->last;
    }
    *piece = (cfi_piece){
        .first = first,
        .count = (uint32_t)count,
        .layout = (uint32_t)count,
        .attempt = 1,
        .previous = previous,
        .next = previous != NULL ? previous->next : NULL,
    };
    *(previous != NULL ? &previous->next : &stream->first) = piece;
    *(piece->next != NULL ? &piece->next->previous : &stream->last) = piece;
    return piece;
}

static bool is_adaptive(const cf_stream *stream) {
    return stream->options.chunk == 0;
}

/* Bytes of a chunk of so many items. */
static size_t arg_room(const cf_stream *stream, size_t count) {
    return stream->direct != NULL ? sizeof(cfi_chunk_header)
                                  : cfi_chunk_arg_size(stream->task.arg_size, count);
}

static size_t result_room(const cf_stream *stream, size_t count) {
    return stream->direct != NULL ? sizeof(cfi_chunk_progress)
                                  : cfi_chunk_result_size(stream->task.result_size, count);
}

static void give_block(cf_stream *stream, cfi_piece *piece) {
    if (piece->block != 0) {
        cfi_executor_give_block(stream->executor, piece->block, arg_room(stream, piece->layout),
                                result_room(stream, piece->layout));
        piece->block = 0;
    }
    if (piece->origin != NULL) {
        cfi_slot_release(piece->origin);
        piece->origin = NULL;
    }
}

static void drop(cf_stream *stream, cfi_piece *piece) {
    give_block(stream, piece);
    cfi_watch_end(&piece->watch);
    *(piece->previous != NULL ? &piece->previous->next : &stream->first) = piece->next;
    *(piece->next != NULL ? &piece->next->previous : &stream->last) = piece->previous;
    piece->queue_next = stream->unused;
    stream->unused = piece;
}

void cfi_stream_hand_out(cf_stream *stream, cfi_piece *piece) {
    stream->handed_out += piece->count - piece->handed_out;
    drop(stream, piece);
}

static void enqueue(cfi_piece_queue *queue, cfi_piece *piece) {
    piece->queue_next = NULL;
    *(queue->first == NULL ? &queue->first : &queue->last->queue_next) = piece;
    queue->last = piece;
}

static cfi_piece *dequeue(cfi_piece_queue *queue) {
    cfi_piece *piece = queue->first;
    if (piece != NULL) {
        queue->first = piece->queue_next;
    }
    return piece;
}

static void make_ready(cf_stream *stream, cfi_piece *piece) {
    piece->state = CFI_PIECE_READY;
    if (stream->options.as_completed) {
        enqueue(&stream->ready, piece);
    }
}

static void keep_args_in(cfi_piece *piece, cfi_slot *slot, uint32_t first) {
    cfi_slot_retain(slot);
    piece->origin = slot;
    piece->origin_first = first;
}

/* All its items end like this. Their arguments stay where they are until they are handed out. */
static void fail_piece(cf_stream *stream, cfi_piece *piece, const cf_exception *exception) {
    if (piece->watch.slot != NULL) {
        keep_args_in(piece, piece->watch.slot, 0);
        cfi_watch_end(&piece->watch);
    }
    piece->exception = *exception;
    make_ready(stream, piece);
}

static void fail_unsent(cf_stream *stream, cfi_piece *piece, cf_status status) {
    fail_piece(stream, piece, &(cf_exception){.status = status, .worker = -1});
}

/* ---- sending --------------------------------------------------------------------------------- */

static cfi_chunk_header *header_in(const cf_stream *stream, uint64_t block) {
    return (cfi_chunk_header *)(void *)(stream->executor->queue.base + block);
}

static uint64_t take_block(cf_stream *stream, size_t count) {
    return cfi_executor_take_block(stream->executor, arg_room(stream, count),
                                   result_room(stream, count));
}

static void watch_future(cf_stream *stream, cfi_piece *piece, cf_future *future) {
    if (cfi_watch_begin(&stream->set, &piece->watch, future, 0) == CFI_WATCH_BEGUN) {
        piece->state = CFI_PIECE_SENT;
        stream->under_way++;
    } else { /* no memory to know its executor, at the first chunk: not to be left running */
        cf_future_exception(future, CF_FOREVER, &(cf_exception){0});
        fail_unsent(stream, piece, CF_ENOMEM);
    }
    cf_future_release(future); /* the watch holds it */
}

/* The arrays of all items, from this one on. */
static cfi_direct direct_from(const cf_stream *stream, uint64_t item) {
    const cfi_direct *direct = stream->direct;
    if (direct == NULL) {
        return (cfi_direct){0};
    }
    return (cfi_direct){
        .args = direct->args != NULL ? direct->args + stream->task.arg_size * item : NULL,
        .results =
            direct->results != NULL ? direct->results + stream->task.result_size * item : NULL,
        .exceptions = direct->exceptions != NULL ? direct->exceptions + item : NULL,
    };
}

static void write_header(cf_stream *stream, const cfi_piece *piece) {
    size_t result_at = cfi_result_offset(arg_room(stream, piece->layout));
    *header_in(stream, piece->block) = (cfi_chunk_header){
        .run = stream->task.run,
        .arg_size = stream->task.arg_size,
        .result_size = stream->task.result_size,
        .timeout_ns = stream->options.timeout_ns,
        .count = piece->count,
        .attempt = piece->attempt,
        .unzeroed = stream->task.unzeroed,
        .is_direct = stream->direct != NULL,
        .direct = direct_from(stream, piece->first),
    };
    cfi_chunk_progress *progress =
        (void *)(stream->executor->queue.base + piece->block + result_at);
    *progress = (cfi_chunk_progress){.end = piece->count};
}

static cf_task chunk_task(const cf_stream *stream, const cfi_piece *piece) {
    return (cf_task){
        .name = stream->task.name,
        .run = cfi_chunk_run,
        .arg_size = arg_room(stream, piece->layout),
        .result_size = result_room(stream, piece->layout),
        .result_type = stream->task.result_type,
        .unzeroed = true, /* each item's is, when its turn comes */
    };
}

static void note_sent(cf_stream *stream, cfi_piece *piece, cf_future *future) {
    piece->block = 0;
    piece->layout = piece->count;
    piece->sent_ns = is_adaptive(stream) ? cfi_now_ns() : 0;
    stream->submitted = true;
    watch_future(stream, piece, future);
}

/* The piece's block is filled. When there is no memory it is tried again later; for any other
 * reason the piece fails, and the stream submits no more. */
static void submit_piece(cf_stream *stream, cfi_piece *piece) {
    write_header(stream, piece);
    const cf_task task = chunk_task(stream, piece);
    const cfi_submission submission = {
        .task = &task, .block = piece->block, .until_ns = stream->until_ns};
    cf_future *future;
    cf_status status = cfi_executor_submit(stream->executor, &submission, &future);
    if (status == CF_OK) {
        note_sent(stream, piece, future);
    } else if (status == CF_ENOMEM || status == CF_EFULL) {
        stream->lacking = status;
        enqueue(&stream->unsent, piece);
    } else {
        stream->refused = status;
        fail_unsent(stream, piece, status);
    }
}

/* The piece's arguments from where they lie in a slot. */
static void copy_args(cf_stream *stream, cfi_piece *piece, cfi_slot *slot, uint32_t from_item) {
    size_t step = cfi_chunk_step(stream->task.arg_size);
    if (stream->direct == NULL) {
        cfi_chunk_header *lies_in = cfi_slot_arg(slot, stream->executor->queue.base);
        memcpy(cfi_chunk_args(header_in(stream, piece->block)),
               cfi_chunk_args(lies_in) + step * from_item, step * piece->count);
    }
}

/* False: no memory yet. */
static bool fill_from_origin(cf_stream *stream, cfi_piece *piece) {
    piece->block = take_block(stream, piece->count);
    if (piece->block == 0) {
        stream->lacking = CF_ENOMEM;
        return false;
    }
    copy_args(stream, piece, piece->origin, piece->origin_first);
    cfi_slot_release(piece->origin);
    piece->origin = NULL;
    piece->origin_first = 0;
    return true;
}

static void send_piece(cf_stream *stream, cfi_piece *piece) {
    if (stream->refused != CF_OK) {
        fail_unsent(stream, piece, stream->refused);
    } else if (piece->block == 0 && !fill_from_origin(stream, piece)) {
        enqueue(&stream->unsent, piece);
    } else {
        submit_piece(stream, piece);
    }
}

/* Once each: what still finds no memory is queued again. */
static void send_unsent(cf_stream *stream) {
    cfi_piece_queue waiting = stream->unsent;
    cfi_piece *piece;
    stream->unsent = (cfi_piece_queue){0};
    while ((piece = dequeue(&waiting)) != NULL) {
        send_piece(stream, piece);
    }
}

cf_status cfi_stream_wait_for_others(cf_stream *stream, int64_t deadline_ns) {
    cfi_piece *piece;
    if (stream->lacking == CF_EFULL && !cfi_worker_is_of(&stream->executor->queue)) {
        stream->until_ns = deadline_ns;
        send_unsent(stream);
        stream->until_ns = 0;
        return stream->unsent.first == NULL || stream->lacking != CF_EFULL ? CF_OK : CF_ETIMEDOUT;
    }
    stream->refused = stream->lacking;
    while ((piece = dequeue(&stream->unsent)) != NULL) {
        fail_unsent(stream, piece, stream->lacking);
    }
    return CF_OK;
}

/* A block for the next items of the source, for half of them and so on if there is no memory for so
 * many; *most is for how many. 0: none, or what is under way is to be awaited first. */
static uint64_t take_next_block(cf_stream *stream, size_t *most) {
    uint64_t block = take_block(stream, *most);
    while (block == 0 && is_adaptive(stream) && *most > 1) {
        *most /= 2;
        stream->chunk = stream->chunk_most = *most;
        block = take_block(stream, *most);
    }
    return block;
}

/* The next items out of the source. False when there are no more of them now, or no memory. */
static bool take_chunk(cf_stream *stream, size_t most) {
    uint64_t block = take_next_block(stream, &most);
    cfi_piece *piece = block != 0 ? add_piece(stream, NULL, stream->taken, most) : NULL;
    if (piece == NULL) {
        if (block != 0) {
            cfi_executor_give_block(stream->executor, block, arg_room(stream, most),
                                    result_room(stream, most));
        }
        if (stream->first == NULL) { /* nothing that could be given back */
            stream->refused = CF_ENOMEM;
        }
        return false;
    }
    piece->block = block;
    size_t count = 0;
    cf_source_answer answer =
        stream->fill(stream->context, cfi_chunk_args(header_in(stream, block)), most, &count);
    stream->later = answer == CF_SOURCE_LATER;
    stream->ended = answer != CF_SOURCE_ITEM && !stream->later;
    if (count == 0) {
        drop(stream, piece);
        return false;
    }
    piece->count = (uint32_t)count;
    stream->taken += count;
    submit_piece(stream, piece);
    return answer == CF_SOURCE_ITEM;
}

/* Items of the next chunk. Near the end it gets smaller, so that all workers end together. */
static size_t next_count(const cf_stream *stream) {
    uint64_t left = stream->options.size_hint - stream->taken;
    if (!is_adaptive(stream) || stream->options.size_hint <= stream->taken) {
        return stream->chunk;
    }
    uint64_t share = left / ((uint64_t)stream->executor->max_workers * CFI_CHUNK_SHARES);
    double least = stream->pace_ns > 0 ? CFI_CHUNK_LEAST_NS / stream->pace_ns : 1;
    if ((double)share < least) {
        share = least < (double)stream->chunk ? (uint64_t)least : stream->chunk;
    }
    return share >= stream->chunk ? stream->chunk : share > 0 ? (size_t)share : 1;
}

/* What may be taken now: a whole chunk; less only to fill the first window up. */
static size_t room_in_window(const cf_stream *stream) {
    uint64_t window = stream->options.window > 0
                          ? stream->options.window
                          : (uint64_t)stream->executor->max_workers * 16 * stream->chunk;
    uint64_t out = stream->taken - stream->handed_out;
    uint64_t room = window > out ? window - out : 0;
    size_t count = next_count(stream);
    bool filling = stream->handed_out == 0;
    return room >= count ? count : filling ? (size_t)room : 0;
}

/* A window that was wished for is filled; else few chunks are under way, so that there are few of the
 * wrong size while that is still being found out. */
static bool may_send(const cf_stream *stream) {
    return !is_adaptive(stream) || stream->options.window > 0 ||
           stream->under_way < (size_t)stream->executor->max_workers * CFI_CHUNKS_UNDER_WAY;
}

void cfi_stream_top_up(cf_stream *stream) {
    size_t most;
    send_unsent(stream);
    while (!stream->ended && stream->refused == CF_OK && stream->unsent.first == NULL &&
           may_send(stream) && (most = room_in_window(stream)) > 0 && take_chunk(stream, most)) {}
}

/* ---- collecting ------------------------------------------------------------------------------ */

/* The item that was running when the run ended: it fails, or is tried again (then *attempt is which
 * that will be). True when it fails. */
static bool running_item_fails(cf_stream *stream, const cf_exception *exception, bool was_running,
                               uint32_t *attempt) {
    if (exception->status == CF_OK) { /* the worker stopped before it */
        return false;
    }
    if (exception->status == CF_EDEADLINE) {
        return was_running;
    }
    if (*attempt > stream->options.retries) {
        return true;
    }
    cfi_add_relaxed(&stream->executor->retries, 1);
    ++*attempt;
    return false;
}

/* Of a chunk whose run was cut short, the first `done` items have their results. */
static void break_up(cf_stream *stream, cfi_piece *piece, uint32_t done, bool was_running,
                     const cf_exception *exception) {
    cfi_slot *slot = piece->watch.slot;
    uint32_t attempt = done == 0 ? piece->attempt : 1;
    uint32_t count = piece->count;
    bool fails = running_item_fails(stream, exception, was_running, &attempt);
    uint32_t rest_first = done + fails;
    cfi_piece *failed = fails ? add_piece(stream, piece, piece->first + done, 1) : NULL;
    cfi_piece *rest = rest_first < count ? add_piece(stream, failed != NULL ? failed : piece,
                                                     piece->first + rest_first, count - rest_first)
                                         : NULL;
    if ((fails && failed == NULL) || (rest_first < count && rest == NULL)) {
        if (failed != NULL) {
            drop(stream, failed);
        }
        fail_unsent(stream, piece, CF_ENOMEM);
        return;
    }
    if (failed != NULL) {
        keep_args_in(failed, slot, done);
    }
    if (rest != NULL) {
        keep_args_in(rest, slot, rest_first);
        rest->attempt = fails ? 1 : attempt;
    }
    if (done > 0) {
        piece->count = done;
        make_ready(stream, piece);
    } else {
        drop(stream, piece);
    }
    if (failed != NULL) {
        fail_piece(stream, failed, exception);
    }
    if (rest != NULL) {
        send_piece(stream, rest);
    }
}

static cfi_chunk_progress *progress_of(const cf_stream *stream, const cfi_piece *piece) {
    return cfi_slot_result(piece->watch.slot, stream->executor->queue.base);
}

/* From a chunk that was run: how many items the next one should have. */
static void learn(cf_stream *stream, const cfi_chunk_progress *progress) {
    uint32_t done = cfi_load_acquire(&progress->done);
    if (!is_adaptive(stream) || done == 0) {
        return;
    }
    double pace_ns = (double)progress->busy_ns / done;
    stream->pace_ns = stream->pace_ns > 0 ? (stream->pace_ns + 3 * pace_ns) / 4 : pace_ns;
    double fitting = CFI_CHUNK_NS / (stream->pace_ns > 0.1 ? stream->pace_ns : 0.1);
    double most = (double)stream->chunk * CFI_CHUNK_GROWTH;
    most = most < (double)stream->chunk_most ? most : (double)stream->chunk_most;
    fitting = fitting < most ? fitting : most;
    stream->chunk = fitting > 1 ? (size_t)fitting : 1;
}

static void collect(cf_stream *stream, cfi_piece *piece) {
    cfi_slot *slot = piece->watch.slot;
    cf_exception exception;
    stream->under_way--;
    stream->look_ns = CFI_LOOK_NS;
    cfi_future_ending(slot, &exception);
    if (exception.status != CF_OK && exception.status != CF_ECANCELLED) {
        cfi_future_seen(slot); /* whoever reads the items is told */
    }
    if (exception.status != CF_OK && exception.status != CF_EWORKER &&
        exception.status != CF_EDEADLINE) {
        fail_piece(stream, piece, &exception);
        return;
    }
    exception.timeout_ns = exception.status == CF_EDEADLINE ? stream->options.timeout_ns : 0;
    const cfi_chunk_progress *progress = progress_of(stream, piece);
    if (exception.status == CF_OK) {
        learn(stream, progress);
    }
    uint32_t begun = cfi_load_acquire(&progress->begun);
    uint32_t done = cfi_load_acquire(&progress->done);
    if (done >= piece->count) {
        make_ready(stream, piece);
    } else {
        break_up(stream, piece, done, begun > done, &exception);
    }
}

static cfi_piece *ready_piece(cf_stream *stream) {
    if (stream->options.as_completed) {
        return dequeue(&stream->ready);
    }
    return stream->first != NULL && stream->first->state == CFI_PIECE_READY ? stream->first : NULL;
}

/* ---- sharing out what is under way ----------------------------------------------------------- */

/* More workers than pieces under way, and nothing that could be sent. */
static bool lacks_pieces(const cf_stream *stream) {
    return is_adaptive(stream) && stream->refused == CF_OK && stream->under_way > 0 &&
           stream->unsent.first == NULL &&
           stream->under_way < cfi_load_relaxed(&stream->executor->started);
}

static bool some_worker_is_idle(const cf_stream *stream) {
    const cf_executor *executor = stream->executor;
    return !cfi_queue_has_work(&executor->queue) &&
           cfi_queue_has_idle_worker(&executor->queue, cfi_load_relaxed(&executor->started));
}

/* How long the worker will be at what it has of the piece and has not begun, as far as one knows; 0
 * if it has begun all of it. */
static double left_ns(const cf_stream *stream, const cfi_piece *piece, int64_t now_ns) {
    const cfi_chunk_progress *progress = progress_of(stream, piece);
    uint32_t begun = cfi_load_acquire(&progress->begun);
    uint32_t end = cfi_load_relaxed(&progress->end);
    if (begun >= end) {
        return 0;
    }
    if (begun == 0) {
        return 1; /* too little to be shared out, but worth another look */
    }
    double pace_ns = (double)(now_ns - piece->sent_ns) / begun;
    return (end - begun) * (pace_ns > stream->pace_ns ? pace_ns : stream->pace_ns);
}

/* NULL: none is worth it. *most_ns: what is left of the longest one. */
static cfi_piece *longest_left(const cf_stream *stream, double *most_ns) {
    int64_t now_ns = cfi_now_ns();
    cfi_piece *longest = NULL;
    *most_ns = 0;
    for (cfi_piece *piece = stream->first; piece != NULL; piece = piece->next) {
        double ns = piece->state == CFI_PIECE_SENT ? left_ns(stream, piece, now_ns) : 0;
        if (ns > *most_ns) {
            *most_ns = ns;
            longest = piece;
        }
    }
    return *most_ns >= CFI_TAKE_BACK_NS ? longest : NULL;
}

typedef struct division {
    cf_stream *stream;
    cfi_piece *piece, *rest;
} division;

/* When it is certain that the rest is taken by the executor: fills in what it is. */
static bool divide(void *context) {
    division *d = context;
    cfi_slot *slot = d->piece->watch.slot;
    uint32_t kept =
        cfi_chunk_take_back(progress_of(d->stream, d->piece), d->stream->executor->queue.shared);
    if (kept == 0) {
        return false;
    }
    d->rest->first = d->piece->first + kept;
    d->rest->count = d->piece->count - kept;
    d->piece->count = kept;
    copy_args(d->stream, d->rest, slot, kept);
    write_header(d->stream, d->rest);
    return true;
}

/* Takes from a running chunk what its worker has not begun, for one that is idle. False: not now. */
static bool send_half(cf_stream *stream, cfi_piece *piece) {
    cfi_piece *rest = add_piece(stream, piece, 0, piece->count);
    if (rest == NULL) {
        return false;
    }
    cf_future *future;
    cf_status status = CF_ENOMEM;
    rest->block = take_block(stream, rest->layout);
    if (rest->block != 0) {
        division d = {stream, piece, rest};
        const cf_task task = chunk_task(stream, rest);
        const cfi_submission submission = {.task = &task, .block = rest->block};
        status = cfi_executor_submit_prepared(stream->executor, &submission, divide, &d, &future);
    }
    if (status != CF_OK) {
        drop(stream, rest);
        return false;
    }
    note_sent(stream, rest, future);
    return true;
}

/* Returns when to look again whether there has become something to share out, -1 = never. */
static int64_t share_out(cf_stream *stream) {
    double most_ns = 0;
    bool sent = true;
    while (sent && lacks_pieces(stream)) {
        cfi_piece *piece = longest_left(stream, &most_ns);
        sent = piece != NULL && some_worker_is_idle(stream) && send_half(stream, piece);
    }
    if (most_ns == 0 || !lacks_pieces(stream)) {
        return -1;
    }
    int64_t look_ns = cfi_now_ns() + stream->look_ns;
    stream->look_ns = stream->look_ns < CFI_LOOK_MOST_NS ? stream->look_ns * 2 : CFI_LOOK_MOST_NS;
    return look_ns;
}

cf_status cfi_stream_next_piece(cf_stream *stream, int64_t deadline_ns, cfi_piece **piece) {
    for (;;) {
        cfi_stream_top_up(stream);
        *piece = ready_piece(stream);
        if (*piece != NULL) {
            return CF_OK;
        }
        cf_status status;
        cfi_watch *watch = NULL;
        if (stream->under_way > 0) {
            int64_t look_ns = share_out(stream);
            status = cfi_watch_set_next(&stream->set, deadline_ns, look_ns, &watch);
        } else if (stream->unsent.first != NULL) {
            status = cfi_stream_wait_for_others(stream, deadline_ns);
        } else if (stream->refused != CF_OK) {
            status = stream->refused;
        } else {
            status = stream->later ? CF_ELATER : CF_EEXHAUSTED;
        }
        if (status != CF_OK) {
            return status;
        }
        if (watch != NULL) {
            collect(stream, (cfi_piece *)watch);
        }
    }
}

void cfi_stream_abandon(cf_stream *stream, cf_status status) {
    stream->refused = status;
    stream->unsent = (cfi_piece_queue){0};
    for (cfi_piece *piece = stream->first; piece != NULL; piece = piece->next) {
        if (piece->state == CFI_PIECE_READY) {
            continue;
        }
        if (piece->state == CFI_PIECE_SENT) {
            cfi_executor_cancel(stream->executor, piece->watch.slot);
            stream->under_way--;
        }
        fail_unsent(stream, piece, status);
    }
}

const cfi_chunk_progress *cfi_piece_progress(const cf_stream *stream, const cfi_piece *piece) {
    return piece->watch.slot != NULL ? progress_of(stream, piece) : NULL;
}

const void *cfi_piece_read(const cf_stream *stream, const cfi_piece *piece, uint32_t i,
                           cf_exception *exception, size_t *size) {
    cfi_slot *slot = piece->watch.slot;
    *size = 0;
    if (slot == NULL) {
        *exception = piece->exception;
        return NULL;
    }
    const cfi_chunk_progress *progress = progress_of(stream, piece);
    cfi_chunk_ending ending =
        cfi_chunk_ending_of(progress, stream->task.result_size, piece->layout, i);
    *exception = (cf_exception){.worker = (int)cfi_word_owner(cfi_load_relaxed(&slot->word))};
    if (ending.result_size == CFI_CHUNK_LATE) {
        exception->status = CF_EDEADLINE;
        exception->timeout_ns = stream->options.timeout_ns;
    } else if (ending.error != 0) {
        exception->status = CF_ETASK;
        exception->task_error = ending.error;
    } else if (stream->task.result_size > 0) {
        size_t room = stream->task.result_size;
        *size = ending.result_size < room ? ending.result_size : room;
        return cfi_chunk_results(progress) + cfi_chunk_step(room) * i;
    }
    return NULL;
}

const void *cfi_piece_arg(const cf_stream *stream, const cfi_piece *piece, uint32_t i) {
    cfi_slot *slot = piece->origin != NULL ? piece->origin : piece->watch.slot;
    char *base = stream->executor->queue.base;
    cfi_chunk_header *header =
        slot != NULL ? cfi_slot_arg(slot, base) : header_in(stream, piece->block);
    size_t size = stream->task.arg_size;
    return size > 0 ? cfi_chunk_args(header) + cfi_chunk_step(size) * (piece->origin_first + i)
                    : NULL;
}

/* ---- opening and closing --------------------------------------------------------------------- */

/* The caller's may go away. */
static bool copy_strings(cf_task *task) {
    bool named = task->name != NULL, typed = task->result_type != NULL;
    task->name = named ? strdup(task->name) : NULL;
    task->result_type = typed ? strdup(task->result_type) : NULL;
    return named == (task->name != NULL) && typed == (task->result_type != NULL);
}

static cf_status check(const cf_executor *executor, const cf_task *task,
                       const cf_stream_options *options) {
    if (executor == NULL || task == NULL || task->run == NULL || task->arg_size > CF_PAYLOAD_MAX ||
        task->result_size > CF_PAYLOAD_MAX || options->retries > CF_RETRIES_MAX) {
        return CF_EINVAL;
    }
    return cfi_fork_mark_is_ours(executor->fork_mark) ? CF_OK : CF_EFORKED;
}

/* The most items of one chunk: as many as were wished for, or as are sent in CFI_CHUNK_SENT_BYTES. */
static size_t most_in_chunk(const cf_executor *executor, const cf_task *task,
                            const cf_stream_options *options, bool direct) {
    size_t item = cfi_chunk_step(task->arg_size) + cfi_chunk_step(task->result_size) +
                  sizeof(cfi_chunk_ending);
    size_t most = direct ? UINT32_MAX / 2 : (size_t)CFI_BLOCK_BYTES_MAX / 2 / item;
    size_t window = options->window > 0 ? options->window : SIZE_MAX;
    size_t wish = options->chunk;
    if (wish == 0) {
        wish = direct ? CFI_CHUNK_ITEMS : CFI_CHUNK_SENT_BYTES / item;
        window /= 2 * (size_t)executor->max_workers; /* one for every worker, and one that waits */
    }
    most = window < most ? window : most;
    most = wish < most ? wish : most;
    return most > 0 ? most : 1;
}

cf_status cfi_stream_create(cf_executor *executor, const cf_task *task, cfi_fill_fn *fill,
                            void *context, const cfi_direct *direct,
                            const cf_stream_options *options, cf_stream **stream) {
    *stream = NULL;
    cf_status status = check(executor, task, options);
    if (status == CF_OK && options->timeout_ns > 0) {
        status = cfi_deadlines_start(executor);
    }
    if (status != CF_OK) {
        return status;
    }
    cf_stream *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return CF_ENOMEM;
    }
    made->executor = executor;
    made->fork_mark = cfi_fork_mark();
    made->task = *task;
    made->fill = fill;
    made->context = context;
    made->options = *options;
    made->direct = direct;
    made->chunk_most = most_in_chunk(executor, task, options, direct != NULL);
    made->chunk = is_adaptive(made) ? 1 : made->chunk_most;
    made->look_ns = CFI_LOOK_NS;
    if (!copy_strings(&made->task) || !cfi_watch_set_init(&made->set)) {
        cf_stream_close(made);
        return CF_ENOMEM;
    }
    *stream = made;
    return CF_OK;
}

void cf_stream_close(cf_stream *stream) {
    if (stream == NULL || !cfi_fork_mark_is_ours(stream->fork_mark)) {
        return;
    }
    while (stream->first != NULL) {
        if (stream->first->state == CFI_PIECE_SENT) {
            cfi_executor_cancel(stream->executor, stream->first->watch.slot);
        }
        drop(stream, stream->first);
    }
    while (stream->unused != NULL) {
        cfi_piece *piece = stream->unused;
        stream->unused = piece->queue_next;
        free(piece);
    }
    cfi_watch_set_fini(&stream->set);
    free((char *)stream->task.name);
    free((char *)stream->task.result_type);
    free(stream);
}

void cf_stream_stop(cf_stream *stream) {
    if (stream == NULL || !cfi_fork_mark_is_ours(stream->fork_mark)) {
        return;
    }
    stream->ended = true;
    stream->later = false;
    cfi_watch *watch;
    while (stream->under_way > 0 &&
           cfi_watch_set_next(&stream->set, cfi_deadline_ns(0), -1, &watch) == CF_OK) {
        collect(stream, (cfi_piece *)watch);
    }
    stream->unsent = (cfi_piece_queue){0};
    for (cfi_piece *piece = stream->first, *next; piece != NULL; piece = next) {
        next = piece->next;
        if (piece->state == CFI_PIECE_SENT) {
            cfi_executor_cancel(stream->executor, piece->watch.slot);
            stream->under_way--;
        }
        if (piece->state != CFI_PIECE_READY) {
            drop(stream, piece);
        }
    }
}
