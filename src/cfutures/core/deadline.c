#include "cfutures/core/deadline.h"

#include "cfutures/queue/completion.h"
#include "cfutures/queue/times.h"

#include "platform/clock.h"
#include "platform/futex.h"
#include "platform/thread_id.h"

#include <signal.h>
#include <stdlib.h>

/* ---- the worker's side ----------------------------------------------------------------------- */

/* The thread reads run_until, limited, the slot's word and run_until again; so `limited` is changed
 * only while run_until is 0. */
static void publish(cfi_queue *queue, cfi_record *record, uint32_t limited, int64_t until_ns) {
    cfi_store_release(&record->run_until_ns, 0);
    cfi_store_release(&record->limited, limited);
    cfi_store_seq_cst(&record->run_until_ns, until_ns);
    if (until_ns != 0 && until_ns < cfi_load_seq_cst(&queue->control->deadline_at_ns)) {
        cfi_add_seq_cst(&queue->control->deadline_rung, 1);
        cfi_futex_wake_all(&queue->control->deadline_rung, queue->shared);
    }
}

/* The run around this one waits: its limit is put aside. */
static void push_outer(cf_task_context *ctx, const cfi_record *record) {
    cf_executor *executor = cfi_executor_of(ctx->slot);
    ctx->outer = (cfi_outer_limit){
        .until_ns = cfi_load_relaxed(&record->run_until_ns),
        .limited = cfi_load_relaxed(&record->limited),
    };
    if (ctx->outer.until_ns == 0 || executor->limits == NULL) {
        return;
    }
    cfi_worker_limits *limits = &executor->limits[ctx->worker];
    cfi_biased_lock_take(&executor->lock);
    ctx->outer.ended = ctx->outer.until_ns == limits->ended_ns;
    ctx->outer.next = limits->outer;
    limits->outer = &ctx->outer;
    cfi_biased_lock_give(&executor->lock);
}

/* And comes back, if it was not ended meanwhile. */
static void pop_outer(cf_task_context *ctx) {
    cf_executor *executor = cfi_executor_of(ctx->slot);
    if (ctx->outer.until_ns == 0 || executor->limits == NULL) {
        return;
    }
    cfi_biased_lock_take(&executor->lock);
    executor->limits[ctx->worker].outer = ctx->outer.next;
    if (ctx->outer.ended) {
        ctx->outer.until_ns = 0;
    }
    cfi_biased_lock_give(&executor->lock);
}

bool cfi_limit_begin(cf_task_context *ctx, int64_t timeout_ns) {
    cfi_record *record = &ctx->queue->records[ctx->worker];
    if (!cfi_slot_tick(ctx->slot, ctx->worker)) {
        return false;
    }
    ctx->until_ns = cfi_deadline_ns(timeout_ns);
    push_outer(ctx, record);
    publish(ctx->queue, record, cfi_queue_index(ctx->queue, ctx->slot) + 1, ctx->until_ns);
    return true;
}

bool cfi_limit_end(cf_task_context *ctx) {
    pop_outer(ctx);
    publish(ctx->queue, &ctx->queue->records[ctx->worker], ctx->outer.limited, ctx->outer.until_ns);
    return cfi_now_ns() < ctx->until_ns && cfi_task_is_ours(ctx);
}

/* ---- declaring, under the executor's lock ---------------------------------------------------- */

static void end_run(cf_executor *executor, unsigned worker, cfi_slot *slot, uint64_t word) {
    if (executor->ops->kill != NULL) {
        if (cfi_slot_expire(slot, false, &word)) {
            executor->ops->kill(executor, worker, SIGKILL);
        }
        return;
    }
    cfi_times_stamp_finish(&executor->queue, slot);
    cfi_add_relaxed(&executor->lost, 1); /* before: who has the result finds it in the stats */
    cfi_add_relaxed(&executor->timed_out, 1);
    cfi_add_relaxed(&executor->occupied, 1);
    if (cfi_slot_expire(slot, true, &word)) {
        cfi_completion_announce(&executor->queue, slot, word);
    } else {
        cfi_sub_relaxed(&executor->lost, 1);
        cfi_sub_relaxed(&executor->timed_out, 1);
        cfi_sub_relaxed(&executor->occupied, 1);
    }
}

static void end_if_running(cf_executor *executor, unsigned worker, uint32_t limited,
                           uint64_t word) {
    if (cfi_word_is_run_by(word, worker)) {
        end_run(executor, worker, cfi_queue_slot(&executor->queue, limited - 1), word);
    }
}

static uint64_t word_of(const cf_executor *executor, uint32_t limited) {
    return limited == 0 ? 0
                        : cfi_load_acquire(&cfi_queue_slot(&executor->queue, limited - 1)->word);
}

/* The run that the worker's record shows, which ends at until_ns. False when it shows another by
 * now. */
static bool end_shown(cf_executor *executor, unsigned worker, int64_t until_ns) {
    const cfi_record *record = &executor->queue.records[worker];
    uint32_t limited = cfi_load_acquire(&record->limited);
    uint64_t word = word_of(executor, limited);
    if (cfi_load_acquire(&record->run_until_ns) != until_ns) {
        return false;
    }
    end_if_running(executor, worker, limited, word);
    return true;
}

static void look_at_shown(cf_executor *executor, unsigned worker, int64_t now_ns,
                          int64_t *earliest_ns) {
    int64_t *ended_ns = &executor->limits[worker].ended_ns; /* not again, until the worker knows */
    int64_t until_ns = cfi_load_seq_cst(&executor->queue.records[worker].run_until_ns);
    if (until_ns == 0 || until_ns == *ended_ns) {
        return;
    }
    if (until_ns > now_ns) {
        *earliest_ns = until_ns < *earliest_ns ? until_ns : *earliest_ns;
    } else if (end_shown(executor, worker, until_ns)) {
        *ended_ns = until_ns;
    }
}

static void look_at_outer(cf_executor *executor, unsigned worker, int64_t now_ns,
                          int64_t *earliest_ns) {
    for (cfi_outer_limit *outer = executor->limits[worker].outer; outer != NULL;
         outer = outer->next) {
        if (outer->ended) {
            continue;
        }
        if (outer->until_ns > now_ns) {
            *earliest_ns = outer->until_ns < *earliest_ns ? outer->until_ns : *earliest_ns;
        } else {
            end_if_running(executor, worker, outer->limited, word_of(executor, outer->limited));
            outer->ended = true;
        }
    }
}

/* ---- the thread ------------------------------------------------------------------------------ */

/* Ends what is over its time. Returns the earliest end of the others. */
static int64_t look_through(cf_executor *executor, int64_t now_ns) {
    int64_t earliest_ns = INT64_MAX;
    cfi_biased_lock_take(&executor->lock);
    for (unsigned i = 0; i < cfi_load_relaxed(&executor->started); i++) {
        look_at_shown(executor, i, now_ns, &earliest_ns);
        look_at_outer(executor, i, now_ns, &earliest_ns);
    }
    cfi_biased_lock_give(&executor->lock);
    return earliest_ns;
}

static void *deadlines_main(void *context) {
    cf_executor *executor = context;
    cfi_control *control = executor->queue.control;
    cfi_thread_name("cf-deadlines");
    for (;;) {
        uint32_t rung = cfi_load_seq_cst(&control->deadline_rung);
        if (cfi_load_acquire(
                &executor->deadlines.stopped)) { /* after `rung`: whoever stops it rings */
            return NULL;
        }
        int64_t earliest_ns = look_through(executor, cfi_now_ns());
        cfi_store_seq_cst(&control->deadline_at_ns, earliest_ns);
        if (look_through(executor, cfi_now_ns()) == earliest_ns) {
            cfi_futex_wait(&control->deadline_rung, rung,
                           earliest_ns == INT64_MAX ? -1 : earliest_ns, executor->queue.shared);
        }
    }
}

static void ring(void *context) {
    cf_executor *executor = context;
    cfi_control *control = executor->queue.control;
    cfi_add_seq_cst(&control->deadline_rung, 1);
    cfi_futex_wake_all(&control->deadline_rung, executor->queue.shared);
}

cf_status cfi_deadlines_start(cf_executor *executor) {
    if (executor->ops->start_worker == NULL || cfi_attendant_runs(&executor->deadlines)) {
        return CF_OK;
    }
    cfi_biased_lock_take(&executor->lock);
    if (executor->limits == NULL) {
        executor->limits = calloc(executor->max_workers, sizeof *executor->limits);
    }
    bool ready = executor->limits != NULL;
    cfi_biased_lock_give(&executor->lock);
    if (!ready) {
        return CF_ENOMEM;
    }
    return cfi_attendant_start(&executor->deadlines, deadlines_main, executor) ? CF_OK : CF_EAGAIN;
}

void cfi_deadlines_stop(cf_executor *executor) {
    cfi_attendant_stop(&executor->deadlines, ring, executor);
}
