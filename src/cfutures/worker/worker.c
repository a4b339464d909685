#include "cfutures/worker/worker.h"

#include "cfutures/queue/completion.h"
#include "cfutures/core/deadline.h"
#include "cfutures/worker/share.h"
#include "cfutures/queue/times.h"

#include "platform/copy.h"

/* ---- scopes ---------------------------------------------------------------------------------- */

static _Thread_local const cfi_worker_scope *innermost_scope;

void cfi_worker_enter(cfi_worker_scope *scope, const cfi_worker *worker) {
    *scope = (cfi_worker_scope){
        .worker = worker,
        .outer = innermost_scope,
        .depth = innermost_scope != NULL ? innermost_scope->depth + 1 : 1,
    };
    innermost_scope = scope;
}

void cfi_worker_leave(const cfi_worker_scope *scope) {
    innermost_scope = scope->outer;
}

const cfi_worker_scope *cfi_worker_innermost(void) {
    return innermost_scope;
}

const cfi_worker_scope *cfi_worker_scope_of(const cfi_queue *queue) {
    const cfi_worker_scope *scope = innermost_scope;
    while (scope != NULL && scope->worker->queue != queue) {
        scope = scope->outer;
    }
    return scope;
}

void cfi_worker_forget_scopes(void) {
    innermost_scope = NULL;
}

/* ---- what a task can ask --------------------------------------------------------------------- */

unsigned cf_task_worker(const cf_task_context *ctx) {
    return ctx->worker;
}

unsigned cf_task_attempt(const cf_task_context *ctx) {
    return ctx->attempt;
}

size_t cf_task_arg_size(const cf_task_context *ctx) {
    return ctx->arg_size;
}

size_t cf_task_room(const cf_task_context *ctx) {
    return ctx->room;
}

void cf_task_set_result_size(cf_task_context *ctx, size_t size) {
    ctx->result_size = size < ctx->room ? size : ctx->room;
}

void *cf_task_local(const cf_task_context *ctx) {
    return ctx->local;
}

bool cfi_task_is_ours(const cf_task_context *ctx) {
    uint64_t word = cfi_load_acquire(&ctx->slot->word);
    return cfi_word_is_run_by(word, cfi_word_owner(ctx->word)) && (word & CFI_EXPIRED) == 0;
}

bool cf_task_cancelled(const cf_task_context *ctx) {
    return cfi_load_acquire(&ctx->queue->control->terminating) != 0 ||
           (ctx->until_ns != 0 && cfi_now_ns() >= ctx->until_ns) || !cfi_task_is_ours(ctx);
}

/* ---- one task -------------------------------------------------------------------------------- */

static cf_task_context context_of(const cfi_worker *worker, cfi_slot *slot, uint64_t word) {
    return (cf_task_context){
        .runner = worker,
        .queue = worker->queue,
        .slot = slot,
        .word = word,
        .worker = cfi_word_owner(word),
        .attempt = cfi_word_attempts(word),
        .arg_size = slot->arg_size,
        .room = slot->result_size,
        .result_size = slot->result_size,
        .local = worker->local,
    };
}

static int call_task(cf_task_context *ctx) {
    cfi_queue *queue = ctx->queue;
    cfi_slot *slot = ctx->slot;
    cf_task_fn *run = cfi_load_relaxed(
        &queue->tasks[slot->kind & CFI_KIND_TASK]); /* ordered by the slot's word */
    const void *arg = slot->arg_size > 0 ? cfi_slot_arg(slot, queue->base) : NULL;
    void *result = NULL;
    if (slot->result_size > 0) {
        result = cfi_slot_result(slot, queue->base);
        if ((slot->kind & CFI_UNZEROED) == 0) {
            cfi_clear(result, slot->result_size); /* an earlier task may have left something */
        }
    }
    return run(arg, result, ctx);
}

/* *late: it has returned, but its time was over. */
static int call_in_time(cf_task_context *ctx, bool *late) {
    const int64_t *limit = cfi_slot_limit(ctx->slot, ctx->queue->base);
    *late = false;
    if (limit == NULL) {
        return call_task(ctx);
    }
    cfi_limit_begin(ctx, *limit);
    int error = call_task(ctx);
    *late = !cfi_limit_end(ctx);
    return error;
}

/* Counted before the task is settled: who has its result finds it in the stats. `running` goes
 * first, so that what is not begun is never thought less than it is. */
static inline void count_task(cfi_record *record, bool failed, bool late) {
    cfi_bump_owned(&record->running, (uint32_t)-1);
    cfi_bump_owned(&record->tasks, 1);
    if (failed || late) {
        cfi_bump_owned(&record->task_errors, 1);
        cfi_bump_owned(&record->timed_out, late);
    }
}

static void uncount_task(cfi_record *record, bool failed, bool late) {
    cfi_bump_owned(&record->tasks, (uint64_t)-1);
    cfi_bump_owned(&record->task_errors, -(uint64_t)(failed || late));
    cfi_bump_owned(&record->timed_out, -(uint32_t)late);
}

/* The counts hold also if the worker dies now. */
static inline void confirm_counts(cfi_record *record, bool failed, bool late) {
    cfi_store_relaxed(&record->tasks_settled, cfi_load_relaxed(&record->tasks));
    if (failed || late) {
        cfi_store_relaxed(&record->task_errors_settled, cfi_load_relaxed(&record->task_errors));
        cfi_store_relaxed(&record->timed_out_settled, cfi_load_relaxed(&record->timed_out));
    }
}

void cfi_worker_execute(const cfi_worker *worker, cfi_slot *slot, uint64_t word) {
    cfi_queue *queue = worker->queue;
    cfi_record *record = &queue->records[worker->number];

    cfi_bump_owned(&record->running, 1);
    cfi_queue_room_made(queue);
    cfi_queue_follow_growth(queue); /* the slot may have been opened after it was looked for */
    cfi_times_stamp_start(queue, slot);
    cf_task_context ctx = context_of(worker, slot, word);
    bool late;
    int error = call_in_time(&ctx, &late);
    if (worker->hooks->after_task != NULL) {
        worker->hooks->after_task();
    }
    slot->detail = error != 0 ? error : (int32_t)ctx.result_size;
    slot->outcome = error == 0 ? CF_OK : CF_ETASK;
    if (cfi_task_is_ours(&ctx)) { /* else it was done when it was declared over its time */
        cfi_times_stamp_finish(queue, slot);
    }

    count_task(record, error != 0, late);
    if (cfi_slot_settle(slot, worker->number, late, &word)) {
        cfi_completion_announce(queue, slot, word);
    } else {
        uncount_task(record, error != 0, late);
        worker->hooks->overrun(slot);
    }
    cfi_queue_room_made(queue); /* between two of the counts, one pending too many was seen */
    confirm_counts(record, error != 0, late);
}

/* ---- a life ---------------------------------------------------------------------------------- */

bool cfi_worker_begin(cfi_worker *worker) {
    const cfi_worker_life *life = worker->life;
    cfi_record *record = &worker->queue->records[worker->number];
    int error = life->initializer != NULL
                    ? life->initializer(life->context, worker->number, &worker->local)
                    : 0;
    cfi_store_relaxed(&record->init_error, error);
    cfi_store_release(&record->ready, error == 0 ? CFI_READY : CFI_UNREADY);
    return error == 0;
}

void cfi_worker_finish(const cfi_worker *worker) {
    if (worker->life->finalizer != NULL) {
        worker->life->finalizer(worker->life->context, worker->number, worker->local);
    }
}

static cfi_worker_end work(const cfi_worker *worker) {
    cfi_queue *queue = worker->queue;
    cfi_record *record = &queue->records[worker->number];
    cfi_seat seat = {
        .worker = worker->number,
        .most = worker->life->max_tasks > 0, /* so that it has begun what it has claimed */
        .woken = queue->shared, /* it may stand in for one that died with a wake-up in its hands */
    };
    unsigned tasks = 0;
    cfi_slot *slot;
    uint64_t word;
    while ((slot = cfi_queue_next(queue, &seat, &word)) != NULL) {
        cfi_worker_execute(worker, slot, word);
        cfi_store_release(&record->current, 0); /* nothing left behind */
        if (++tasks == worker->life->max_tasks) {
            cfi_queue_account(queue, worker->number);
            return CFI_WORKER_RETIRED;
        }
    }
    return CFI_WORKER_DONE;
}

cfi_worker_end cfi_worker_run(cfi_queue *queue, unsigned number, const cfi_worker_life *life,
                              const cfi_worker_hooks *hooks) {
    cfi_worker worker = {.queue = queue, .number = number, .life = life, .hooks = hooks};
    cfi_worker_scope scope;
    cfi_worker_end end = CFI_WORKER_UNFIT;
    cfi_worker_enter(&scope, &worker);
    cfi_share_tell_openmp(life);
    if (cfi_worker_begin(&worker)) {
        cfi_store_relaxed(&queue->records[number].awake_since_ns, cfi_now_ns());
        end = work(&worker);
        cfi_worker_finish(&worker);
    }
    cfi_worker_leave(&scope);
    return end;
}
