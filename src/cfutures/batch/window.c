#include "cfutures/batch/window.h"

#include "cfutures/batch/pace.h"
#include "cfutures/batch/send.h"
#include "cfutures/batch/share_out.h"
#include "cfutures/core/damage.h"
#include "cfutures/core/deadline.h"
#include "cfutures/core/ending.h"
#include "cfutures/core/submission.h"
#include "cfutures/queue/tuning.h"
#include "cfutures/waiting/await.h"

#include "platform/assert.h"
#include "platform/refusal.h"

#include <stdlib.h>
#include <string.h>

/* ---- the window ------------------------------------------------------------------------------ */

void cfi_stream_hand_out(cf_stream *stream, cfi_piece *piece) {
    cfi_assert(piece->state == CFI_PIECE_READY && piece->handed_out <= piece->count);
    stream->handed_out += piece->count - piece->handed_out;
    cfi_assert(stream->handed_out <= stream->taken);
    cfi_piece_drop(stream, piece);
}

cf_status cfi_stream_wait_for_others(cf_stream *stream, int64_t deadline_ns) {
    cfi_piece *piece;
    cfi_assert(stream->under_way == 0 && !cfi_list_is_empty(&stream->unsent));
    cfi_assert(stream->retry_reason != CF_OK);
    if (stream->retry_reason == CF_EFULL && !cfi_worker_is_of(&stream->executor->queue)) {
        stream->until_ns = deadline_ns;
        cfi_send_unsent(stream);
        stream->until_ns = 0;
        return cfi_list_is_empty(&stream->unsent) || stream->retry_reason != CF_EFULL
                   ? CF_OK
                   : CF_ETIMEDOUT;
    }
    stream->closed_reason = stream->retry_reason;
    while ((piece = cfi_piece_take(&stream->unsent)) != NULL) {
        cfi_piece_fail_with(stream, piece, stream->retry_reason);
    }
    return CF_OK;
}

void cfi_stream_top_up(cf_stream *stream) {
    size_t most;
    cfi_assert(stream->until_ns == 0); /* it does not wait for room */
    cfi_send_unsent(stream);
    while (!stream->ended && stream->closed_reason == CF_OK && cfi_list_is_empty(&stream->unsent) &&
           cfi_pace_may_send(stream) && (most = cfi_pace_room(stream)) > 0 &&
           cfi_send_next_chunk(stream, most)) {}
}

/* ---- collecting ------------------------------------------------------------------------------ */

/* What becomes of a chunk whose run was cut short: `done` items have their results; the next one
 * fails, perhaps; the rest is sent again. */
typedef struct breakup {
    uint32_t done;
    bool fails;
    uint32_t rest_first;
    uint32_t rest_count;
    uint32_t rest_attempt; /* of the rest's first item */
    cfi_piece *failed;     /* NULL = no item fails */
    cfi_piece *rest;       /* NULL = there is none */
} breakup;

/* Whether the item fails that was running when the run was cut short. `attempts` were made of it. */
static bool next_item_fails(const cf_stream *stream, const cf_exception *exception,
                            bool was_running, uint32_t attempts) {
    cfi_assert(attempts > 0 && attempts <= stream->options.retries + 1);
    switch (exception->status) {
    case CF_OK: /* the worker stopped before that item */
        return false;
    case CF_EDEADLINE:
        return was_running;
    default: /* the worker died */
        cfi_assert(exception->status == CF_EWORKER);
        return attempts > stream->options.retries;
    }
}

static breakup plan_breakup(const cf_stream *stream, const cfi_piece *piece, uint32_t done,
                            bool was_running, const cf_exception *exception) {
    cfi_assert(done < piece->count);
    uint32_t attempts = done == 0 ? piece->attempt : 1;
    bool fails = next_item_fails(stream, exception, was_running, attempts);
    bool again = !fails && exception->status == CF_EWORKER;
    uint32_t rest_first = done + fails;
    return (breakup){
        .done = done,
        .fails = fails,
        .rest_first = rest_first,
        .rest_count = piece->count - rest_first,
        .rest_attempt = fails ? 1 : attempts + again,
    };
}

/* The pieces that it takes, behind the one that breaks. False: no memory, and nothing to undo. */
static bool reserve_pieces(cf_stream *stream, cfi_piece *piece, breakup *plan) {
    if (plan->fails) {
        plan->failed = cfi_piece_add(stream, piece, piece->first + plan->done, 1);
        if (plan->failed == NULL) {
            return false;
        }
    }
    if (plan->rest_count > 0) {
        cfi_piece *before = plan->fails ? plan->failed : piece;
        plan->rest =
            cfi_piece_add(stream, before, piece->first + plan->rest_first, plan->rest_count);
        if (plan->rest == NULL && plan->fails) {
            cfi_piece_drop(stream, plan->failed);
        }
    }
    return plan->rest_count == 0 || plan->rest != NULL;
}

/* The arguments stay in the chunk that broke. */
static void break_up(cf_stream *stream, cfi_piece *piece, const breakup *plan,
                     const cf_exception *exception) {
    cfi_assert(plan->done + plan->fails + plan->rest_count == piece->count);
    cfi_assert((plan->failed != NULL) == plan->fails);
    cfi_assert((plan->rest != NULL) == (plan->rest_count > 0));
    if (plan->failed != NULL) {
        cfi_piece_keep_args_in(plan->failed, piece->watch.future, plan->done);
    }
    if (plan->rest != NULL) {
        cfi_piece_keep_args_in(plan->rest, piece->watch.future, plan->rest_first);
        plan->rest->attempt = plan->rest_attempt;
    }
    if (plan->done > 0) {
        piece->count = plan->done;
        cfi_piece_make_ready(stream, piece);
    } else {
        cfi_piece_drop(stream, piece);
    }
    cfi_assert(plan->failed == NULL || cfi_piece_is_in_order(plan->failed));
    cfi_assert(plan->rest == NULL || cfi_piece_is_in_order(plan->rest));
    if (plan->failed != NULL) {
        cfi_piece_fail(stream, plan->failed, exception);
    }
    if (plan->rest != NULL) {
        cfi_send_piece(stream, plan->rest);
    }
}

/* The chunk's run was cut short after `done` items. */
static void collect_part(cf_stream *stream, cfi_piece *piece, uint32_t done, bool was_running,
                         const cf_exception *exception) {
    breakup plan = plan_breakup(stream, piece, done, was_running, exception);
    if (!reserve_pieces(stream, piece, &plan)) {
        cfi_piece_fail_with(stream, piece, CF_ENOMEM);
        return;
    }
    if (!plan.fails && exception->status == CF_EWORKER) {
        plat_add_relaxed(&stream->executor->counts.retries, 1);
    }
    break_up(stream, piece, &plan, exception);
}

static void collect(cf_stream *stream, cfi_piece *piece) {
    cf_future *future = piece->watch.future;
    cf_exception exception;
    cfi_assert(piece->state == CFI_PIECE_SENT && stream->under_way > 0);
    stream->under_way--;
    stream->poll_ns = CFI_POLL_NS;
    cfi_ending_of(future, &exception);
    if (exception.status != CF_OK && exception.status != CF_ECANCELLED) {
        cfi_ending_observed(future); /* the user sees it in each item */
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
    uint32_t begun = plat_load_acquire(&progress->begun);
    uint32_t done = plat_load_acquire(&progress->done);
    if (done > piece->count) { /* a task has overwritten it */
        cfi_damage_note(stream->executor);
        cfi_piece_fail_with(stream, piece, CF_EBROKEN);
    } else if (done == piece->count) {
        cfi_piece_make_ready(stream, piece);
    } else {
        collect_part(stream, piece, done, begun > done, &exception);
    }
}

static cfi_piece *ready_piece(cf_stream *stream) {
    if (stream->options.as_completed) {
        return cfi_piece_take(&stream->ready);
    }
    cfi_piece *first = cfi_piece_first(stream);
    return first != NULL && first->state == CFI_PIECE_READY ? first : NULL;
}

/* ---- waiting --------------------------------------------------------------------------------- */

/* Why there is nothing to wait for: no piece is left. */
static cf_status why_it_ends(const cf_stream *stream) {
    cfi_assert(cfi_piece_first(stream) == NULL); /* none is lost */
    if (stream->closed_reason != CF_OK) {
        return stream->closed_reason;
    }
    cfi_assert(stream->ended || stream->source_empty);
    return stream->source_empty ? CF_ELATER : CF_EEXHAUSTED;
}

cf_status cfi_stream_next_piece(cf_stream *stream, int64_t deadline_ns, cfi_piece **piece) {
    for (;;) {
        cfi_stream_top_up(stream);
        *piece = ready_piece(stream);
        if (*piece != NULL) {
            cfi_assert((*piece)->state == CFI_PIECE_READY && (*piece)->handed_out == 0);
            cfi_assert(stream->options.as_completed || (*piece)->first >= stream->handed_out);
            return CF_OK;
        }
        cf_status status;
        cfi_watch *watch = NULL;
        if (stream->under_way > 0) {
            int64_t poll_ns = cfi_share_out(stream);
            status = cfi_await_set(&stream->set, deadline_ns, poll_ns, &watch);
        } else if (!cfi_list_is_empty(&stream->unsent)) {
            status = cfi_stream_wait_for_others(stream, deadline_ns);
        } else {
            status = why_it_ends(stream);
        }
        if (status != CF_OK) {
            return status;
        }
        if (watch != NULL) {
            collect(stream, (cfi_piece *)watch);
        }
    }
}

/* ---- opening --------------------------------------------------------------------------------- */

/* The user may free its own after the call. */
static bool copy_strings(cf_task *task) {
    bool named = task->name != NULL, typed = task->result_type != NULL;
    task->name = named ? plat_noted(strdup(task->name)) : NULL;
    task->result_type = typed ? plat_noted(strdup(task->result_type)) : NULL;
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
    cf_stream *made = plat_noted(calloc(1, sizeof *made));
    if (made == NULL) {
        return CF_ENOMEM;
    }
    made->executor = executor;
    made->fork_mark = plat_fork_mark();
    made->task = *task;
    made->fill = fill;
    made->context = context;
    made->options = *options;
    made->direct = direct;
    made->chunk_max = cfi_pace_max_in_chunk(executor, task, options, direct != NULL);
    made->chunk = cfi_pace_is_adaptive(made) ? 1 : made->chunk_max;
    made->poll_ns = CFI_POLL_NS;
    if (!copy_strings(&made->task) || !cfi_watch_set_init(&made->set) ||
        !cfi_watch_set_know(&made->set, executor)) {
        cfi_stream_close(made);
        return CF_ENOMEM;
    }
    *stream = made;
    return CF_OK;
}

/* ---- ending ---------------------------------------------------------------------------------- */

/* The stream no longer waits for the piece. If no worker has begun its task, that is cancelled. */
static void recall(cf_stream *stream, cfi_piece *piece) {
    if (piece->state == CFI_PIECE_SENT) {
        cfi_assert(stream->under_way > 0);
        cfi_executor_cancel(stream->executor, piece->watch.future);
        stream->under_way--;
    }
}

/* Recalls all pieces that are not ready; `end` ends each. */
static void recall_unready(cf_stream *stream, void (*end)(cf_stream *stream, cfi_piece *piece)) {
    stream->unsent = (cfi_list){0};
    for (cfi_piece *piece = cfi_piece_first(stream), *next; piece != NULL; piece = next) {
        next = cfi_piece_next(piece); /* end may drop the piece */
        if (piece->state != CFI_PIECE_READY) {
            recall(stream, piece);
            end(stream, piece);
        }
    }
    cfi_assert(stream->under_way == 0);
}

static void fail_as_closed(cf_stream *stream, cfi_piece *piece) {
    cfi_piece_fail_with(stream, piece, stream->closed_reason);
}

void cfi_stream_abandon(cf_stream *stream, cf_status status) {
    cfi_assert(status != CF_OK);
    stream->closed_reason = status;
    recall_unready(stream, fail_as_closed);
}

/* All that is settled, by the slots' own words: a settler may not have announced its slot yet, and
 * another thread may be delivering one. */
static void collect_settled(cf_stream *stream) {
    for (cfi_piece *piece = cfi_piece_first(stream), *next; piece != NULL; piece = next) {
        next = cfi_piece_next(piece); /* to collect a piece may drop it */
        if (piece->state == CFI_PIECE_SENT &&
            cfi_word_is_over(plat_load_acquire(&cfi_slot_of(piece->watch.future)->word))) {
            collect(stream, piece);
        }
    }
}

void cfi_stream_stop(cf_stream *stream) {
    stream->ended = true;
    stream->source_empty = false;
    collect_settled(stream);
    recall_unready(stream, cfi_piece_drop);
}

void cfi_stream_close(cf_stream *stream) {
    cfi_piece *piece;
    while ((piece = cfi_piece_first(stream)) != NULL) {
        recall(stream, piece);
        cfi_piece_drop(stream, piece);
    }
    cfi_assert(stream->under_way == 0 && stream->set.members.first == NULL);
    while ((piece = cfi_piece_take(&stream->unused)) != NULL) {
        free(piece);
    }
    cfi_watch_set_fini(&stream->set);
    free((char *)stream->task.name);
    free((char *)stream->task.result_type);
    free(stream);
}
