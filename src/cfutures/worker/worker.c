#include "cfutures/worker/worker.h"

#include "cfutures/queue/completion.h"
#include "cfutures/queue/times.h"
#include "cfutures/queue/wakeup.h"
#include "cfutures/worker/count.h"
#include "cfutures/worker/cpu_share.h"
#include "cfutures/worker/limit.h"
#include "cfutures/worker/observe.h"
#include "cfutures/worker/strand.h"

#include "platform/assert.h"
#include "platform/clock.h"
#include "platform/copy.h"
#include "platform/on_leaving.h"

#include <errno.h>

/* ---- one task -------------------------------------------------------------------------------- */

static cf_task_context context_of(const cfi_worker *worker, cfi_slot *slot, uint64_t word,
                                  cfi_fork_frame *frame) {
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
        .frame = frame,
    };
}

static int call_task(cf_task_context *ctx) {
    cfi_queue *queue = ctx->queue;
    cfi_slot *slot = ctx->slot;
    cf_task_fn *run = plat_load_relaxed(
        &queue->tasks[slot->kind & CFI_KIND_TASK]); /* ordered by the slot's word */
    const void *arg = slot->arg_size > 0 ? cfi_slot_arg(slot, queue->base) : NULL;
    void *result = NULL;
    cfi_assert(run != NULL); /* a crash here would look like the task's own */
    if (slot->result_size > 0) {
        result = cfi_slot_result(slot, queue->base);
        if ((slot->kind & CFI_UNZEROED) == 0) {
            plat_clear(result, slot->result_size); /* an earlier task may have left something */
        }
    }
    return run(arg, result, ctx);
}

typedef struct task_run {
    const cfi_worker *worker;
    cf_task_context ctx;
    int error;
} task_run;

/* Settles the task, which has returned or was left by an exception. */
static inline void end_run(task_run *run) {
    const cfi_worker *worker = run->worker;
    cf_task_context *ctx = &run->ctx;
    cfi_queue *queue = worker->queue;
    cfi_slot *slot = ctx->slot;
    cfi_record *record = &queue->records[worker->number];
    const bool failed = run->error != 0;
    cfi_worker_end_forked_child(run->error);
    if (ctx->frame->root != NULL && ctx->frame->strand != NULL) {
        cfi_strand_leave(ctx->frame);
    }
    const bool late = (slot->kind & CFI_LIMITED) != 0 && !cfi_limit_end(ctx);
    if (worker->hooks->after_task != NULL) {
        worker->hooks->after_task();
    }
    slot->detail = failed ? run->error : (int32_t)ctx->result_size;
    slot->outcome = failed ? CF_ETASK : CF_OK;
    if (cfi_task_is_ours(ctx)) { /* else others stamp its end */
        cfi_times_stamp_finish(cfi_times_at(queue, slot));
    }
    const bool observed = (slot->kind & CFI_TIMED) != 0 && queue->events != NULL;
    if (observed) {
        cfi_observe_ending(queue, worker->number, slot, ctx->word, late);
    }
    cfi_fault_point(queue, worker->number, SETTLE_WRITTEN);
    uint64_t word;
    cfi_assert(ctx->result_size <= slot->result_size);
    cfi_assert(plat_peek(&record->tasks) < plat_peek(&record->begun));
    cfi_count_run(record, failed, late);
    cfi_fault_point(queue, worker->number, SETTLE_COUNTED);
    if (cfi_slot_settle(slot, worker->number, late, &word)) {
        cfi_fault_point(queue, worker->number, SETTLE_SETTLED);
        cfi_completion_announce(queue, slot, word);
        if (observed) {
            cfi_observe_ended(queue, worker->number, true);
        }
    } else {
        if (observed) {
            cfi_observe_ended(queue, worker->number, false);
        }
        cfi_uncount_run(record, failed, late);
        worker->hooks->overrun(slot);
    }
    cfi_confirm_run(record, failed, late);
    cfi_fault_point(queue, worker->number, SETTLE_CONFIRMED);
}

void cfi_worker_execute(const cfi_worker *worker, cfi_slot *slot, uint64_t word) {
    cfi_queue *queue = worker->queue;
    cfi_assert(cfi_word_is_run_by(word, worker->number) && cfi_word_attempts(word) > 0);
    plat_bump_owned(&queue->records[worker->number].begun, 1);
    cfi_queue_room_made(queue);
    cfi_fault_point(queue, worker->number, RUN_COUNTED);
    cfi_queue_follow_growth(queue); /* the slot may have been opened after it was looked for */
    if (cfi_times_stamp_start(queue, slot) && queue->events != NULL) {
        cfi_observe_begun(queue, worker->number, slot, word);
    }
    cfi_fork_frame frame;
    frame.root = NULL; /* the rest is set when the task forks */
    task_run run PLAT_ON_LEAVING(end_run) = {
        .worker = worker,
        .ctx = context_of(worker, slot, word, &frame),
        .error = ECANCELED, /* unless the task returns */
    };
    const int64_t *limit = cfi_slot_limit(slot, queue->base);
    if (limit != NULL) {
        cfi_limit_begin(&run.ctx, *limit);
    }
    cfi_fault_point(queue, worker->number, RUN_ENTERS);
    run.error = call_task(&run.ctx);
    cfi_fault_point(queue, worker->number, RUN_RETURNED);
}

/* ---- a life ---------------------------------------------------------------------------------- */

bool cfi_worker_begin(cfi_worker *worker) {
    const cfi_worker_config *config = worker->config;
    cfi_record *record = &worker->queue->records[worker->number];
    cfi_assert(worker->local == NULL); /* not of an earlier life */
    cfi_fault_point(worker->queue, worker->number, WORKER_BEGINS);
    cfi_observe_start(worker->queue, worker->number);
    int error = config->initializer != NULL
                    ? config->initializer(config->context, worker->number, &worker->local)
                    : 0;
    cfi_worker_end_forked_child(error);
    plat_store_relaxed(&record->init_error, error);
    plat_store_release(&record->ready, error == 0 ? CFI_READY : CFI_UNREADY);
    cfi_fault_point(worker->queue, worker->number, WORKER_READY);
    return error == 0;
}

/* Of a thread. A process is gone when its supervisor says so. */
static void tell_end(const cfi_worker *worker) {
    if (!worker->queue->shared) {
        cfi_observe_end(worker->queue, worker->number);
    }
}

void cfi_worker_finish(const cfi_worker *worker) {
    cfi_assert(plat_peek(&worker->queue->records[worker->number].ready) == CFI_READY);
    cfi_fault_point(worker->queue, worker->number, WORKER_ENDS);
    if (worker->config->finalizer != NULL) {
        worker->config->finalizer(worker->config->context, worker->number, worker->local);
        cfi_worker_end_forked_child(0);
    }
    tell_end(worker);
}

static cfi_worker_end work(const cfi_worker *worker) {
    cfi_queue *queue = worker->queue;
    cfi_record *record = &queue->records[worker->number];
    cfi_claim claim = {
        .worker = worker->number,
        .max = worker->config->max_tasks > 0, /* 1: then it retires with nothing claimed */
        .woken = queue->shared, /* its predecessor may have died with a wake-up to be passed on */
    };
    unsigned tasks = 0;
    cfi_slot *slot;
    uint64_t word;
    while ((slot = cfi_queue_next(queue, &claim, &word)) != NULL) {
        cfi_worker_execute(worker, slot, word);
        plat_store_release(&record->current, 0); /* it leaves nothing behind */
        cfi_fault_point(queue, worker->number, WORKER_IDLE);
        if (++tasks == worker->config->max_tasks) {
            /* a new life knows of no claim and of no wake-up to be passed on */
            cfi_assert(claim.next == claim.end && !claim.searching && !claim.woken);
            cfi_queue_account(queue, worker->number);
            cfi_fault_point(queue, worker->number, WORKER_RETIRES);
            return CFI_WORKER_RETIRED;
        }
    }
    cfi_assert(claim.next == claim.end && !claim.searching);
    cfi_assert(plat_peek(&record->current) == 0);
    return CFI_WORKER_DONE;
}

static void leave_scope(cfi_worker_scope *scope) {
    cfi_worker_leave(scope);
}

cfi_worker_end cfi_worker_run(cfi_worker *worker) {
    cfi_record *record = &worker->queue->records[worker->number];
    cfi_worker_scope scope PLAT_ON_LEAVING(leave_scope);
    cfi_worker_end end = CFI_WORKER_INIT_FAILED;
    cfi_assert(cfi_worker_innermost() == NULL);
    cfi_worker_enter(&scope, worker, NULL);
    cfi_cpu_share_tell_openmp(worker->config);
    if (cfi_worker_begin(worker)) {
        if (worker->hooks->begun != NULL) {
            worker->hooks->begun();
        }
        plat_store_relaxed(&record->awake_since_ns, plat_now_ns());
        end = work(worker);
        cfi_worker_finish(worker);
    }
    if (end == CFI_WORKER_INIT_FAILED) {
        tell_end(worker);
    }
    return end;
}

void cfi_worker_execute_in_scope(const cfi_worker *worker, cfi_slot *slot, uint64_t word) {
    cfi_worker_scope scope PLAT_ON_LEAVING(leave_scope);
    cfi_worker_enter(&scope, worker, slot);
    cfi_worker_execute(worker, slot, word);
}
