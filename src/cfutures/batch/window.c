#include "cfutures/batch/window.h"

#include "cfutures/batch/pace.h"
#include "cfutures/batch/send.h"
#include "cfutures/batch/share_out.h"
#include "cfutures/core/deadline.h"
#include "cfutures/core/ending.h"
#include "cfutures/core/submission.h"
#include "cfutures/queue/tuning.h"
#include "cfutures/waiting/await.h"

#include <stdlib.h>
#include <string.h>

/* ---- the window ---------------------------------------------------------------------------------- */

void cfi_stream_hand_out(cf_stream *stream, cfi_piece *piece) {
    stream->handed_out += piece->count - piece->handed_out;
    cfi_piece_drop(stream, piece);
}

cf_status cfi_stream_wait_for_others(cf_stream *stream, int64_t deadline_ns) {
    cfi_piece *piece;
    if (stream->lacking == CF_EFULL && !cfi_worker_is_of(&stream->executor->queue)) {
        stream->until_ns = deadline_ns;
        cfi_send_unsent(stream);
        stream->until_ns = 0;
        return stream->unsent.first == NULL || stream->lacking != CF_EFULL ? CF_OK : CF_ETIMEDOUT;
    }
    stream->refused = stream->lacking;
    while ((piece = cfi_piece_dequeue(&stream->unsent)) != NULL) {
        cfi_piece_fail_with(stream, piece, stream->lacking);
    }
    return CF_OK;
}

void cfi_stream_top_up(cf_stream *stream) {
    size_t most;
    cfi_send_unsent(stream);
    while (!stream->ended && stream->refused == CF_OK && stream->unsent.first == NULL &&
           cfi_pace_may_send(stream) && (most = cfi_pace_room(stream)) > 0 &&
           cfi_send_next_chunk(stream, most)) {}
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
    cfi_add_relaxed(&stream->executor->counts.retries, 1);
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
    cfi_piece *failed = fails ? cfi_piece_add(stream, piece, piece->first + done, 1) : NULL;
    cfi_piece *rest = rest_first < count
                          ? cfi_piece_add(stream, failed != NULL ? failed : piece,
                                          piece->first + rest_first, count - rest_first)
                          : NULL;
    if ((fails && failed == NULL) || (rest_first < count && rest == NULL)) {
        if (failed != NULL) {
            cfi_piece_drop(stream, failed);
        }
        cfi_piece_fail_with(stream, piece, CF_ENOMEM);
        return;
    }
    if (failed != NULL) {
        cfi_piece_keep_args_in(failed, slot, done);
    }
    if (rest != NULL) {
        cfi_piece_keep_args_in(rest, slot, rest_first);
        rest->attempt = fails ? 1 : attempt;
    }
    if (done > 0) {
        piece->count = done;
        cfi_piece_make_ready(stream, piece);
    } else {
        cfi_piece_drop(stream, piece);
    }
    if (failed != NULL) {
        cfi_piece_fail(stream, failed, exception);
    }
    if (rest != NULL) {
        cfi_send_piece(stream, rest);
    }
}

static void collect(cf_stream *stream, cfi_piece *piece) {
    cfi_slot *slot = piece->watch.slot;
    cf_exception exception;
    stream->under_way--;
    stream->look_ns = CFI_LOOK_NS;
    cfi_ending_of(slot, &exception);
    if (exception.status != CF_OK && exception.status != CF_ECANCELLED) {
        cfi_ending_seen(slot); /* whoever reads the items is told */
    }
    if (exception.status != CF_OK && exception.status != CF_EWORKER &&
        exception.status != CF_EDEADLINE) {
        cfi_piece_fail(stream, piece, &exception);
        return;
    }
    exception.timeout_ns = exception.status == CF_EDEADLINE ? stream->options.timeout_ns : 0;
    const cfi_chunk_progress *progress = cfi_piece_progress_of(stream, piece);
    if (exception.status == CF_OK) {
        cfi_pace_learn(stream, progress);
    }
    uint32_t begun = cfi_load_acquire(&progress->begun);
    uint32_t done = cfi_load_acquire(&progress->done);
    if (done >= piece->count) {
        cfi_piece_make_ready(stream, piece);
    } else {
        break_up(stream, piece, done, begun > done, &exception);
    }
}

static cfi_piece *ready_piece(cf_stream *stream) {
    if (stream->options.as_completed) {
        return cfi_piece_dequeue(&stream->ready);
    }
    return stream->first != NULL && stream->first->state == CFI_PIECE_READY ? stream->first : NULL;
}

/* ---- waiting ------------------------------------------------------------------------------------- */

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
            int64_t look_ns = cfi_share_out(stream);
            status = cfi_await_set(&stream->set, deadline_ns, look_ns, &watch);
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
        cfi_piece_fail_with(stream, piece, status);
    }
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
    return cfi_executor_is_foreign(executor) ? CF_EFORKED : CF_OK;
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
    made->chunk_most = cfi_pace_most_in_chunk(executor, task, options, direct != NULL);
    made->chunk = cfi_pace_is_adaptive(made) ? 1 : made->chunk_most;
    made->look_ns = CFI_LOOK_NS;
    if (!copy_strings(&made->task) || !cfi_watch_set_init(&made->set)) {
        cfi_stream_close(made);
        return CF_ENOMEM;
    }
    *stream = made;
    return CF_OK;
}

void cfi_stream_close(cf_stream *stream) {
    while (stream->first != NULL) {
        if (stream->first->state == CFI_PIECE_SENT) {
            cfi_executor_cancel(stream->executor, stream->first->watch.slot);
        }
        cfi_piece_drop(stream, stream->first);
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

/* What is settled, also where its settler has not announced it yet, or another thread has it in its
 * hands to deliver it. */
static void collect_settled(cf_stream *stream) {
    for (cfi_piece *piece = stream->first, *next; piece != NULL; piece = next) {
        next = piece->next; /* to collect a piece may drop it */
        if (piece->state == CFI_PIECE_SENT &&
            cfi_word_settled(cfi_load_acquire(&piece->watch.slot->word))) {
            collect(stream, piece);
        }
    }
}

void cfi_stream_stop(cf_stream *stream) {
    stream->ended = true;
    stream->later = false;
    collect_settled(stream);
    stream->unsent = (cfi_piece_queue){0};
    for (cfi_piece *piece = stream->first, *next; piece != NULL; piece = next) {
        next = piece->next;
        if (piece->state == CFI_PIECE_SENT) {
            cfi_executor_cancel(stream->executor, piece->watch.slot);
            stream->under_way--;
        }
        if (piece->state != CFI_PIECE_READY) {
            cfi_piece_drop(stream, piece);
        }
    }
}
