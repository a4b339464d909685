#include "cfutures/worker.h"

#include "cfutures/completion.h"
#include "cfutures/times.h"

#include "platform/clock.h"

#include <string.h>

static _Thread_local const cfi_worker_scope *innermost_scope;

void cfi_worker_enter(cfi_worker_scope *scope, const cfi_queue *queue) {
    *scope = (cfi_worker_scope){.queue = queue, .outer = innermost_scope};
    innermost_scope = scope;
}

void cfi_worker_leave(const cfi_worker_scope *scope) {
    innermost_scope = scope->outer;
}

bool cfi_worker_is_of(const cfi_queue *queue) {
    const cfi_worker_scope *scope = innermost_scope;
    while (scope != NULL && scope->queue != queue) {
        scope = scope->outer;
    }
    return scope != NULL;
}

unsigned cf_task_worker(const cf_task_context *ctx) {
    return ctx->worker;
}

unsigned cf_task_attempt(const cf_task_context *ctx) {
    return ctx->attempt;
}

static int call_task(cfi_queue *queue, cfi_slot *slot, cf_task_context *ctx) {
    cf_task_fn *run = cfi_load_relaxed(&queue->tasks[slot->task]); /* ordered by the slot's word */
    unsigned char *payload = cfi_slot_payload(slot, queue->base);
    const void *arg = slot->arg_size > 0 ? payload : NULL;
    void *result = NULL;
    if (slot->result_size > 0) {
        result = cfi_slot_result(slot, queue->base);
        memset(result, 0, slot->result_size); /* an earlier attempt may have left something */
    }
    return run(arg, result, ctx);
}

void cfi_worker_execute(cfi_queue *queue, cfi_slot *slot, uint64_t word, void (*after_task)(void)) {
    cf_task_context ctx = {.worker = cfi_word_owner(word), .attempt = cfi_word_attempts(word)};
    cfi_record *record = &queue->records[ctx.worker];

    cfi_queue_follow_growth(queue); /* the slot may have been opened after it was looked for */
    cfi_times_stamp_start(queue, slot);
    cfi_bump_owned(&record->running, 1);
    int error = call_task(queue, slot, &ctx);
    if (after_task != NULL) {
        after_task();
    }
    slot->detail = error;
    slot->outcome = error == 0 ? CF_OK : CF_ETASK;
    cfi_times_stamp_finish(queue, slot);

    /* counted before it is settled: who has the result finds it in the stats */
    cfi_bump_owned(&record->tasks, 1);
    cfi_bump_owned(&record->task_errors, error != 0);
    cfi_bump_owned(&record->running, (uint32_t)-1);
    if (cfi_slot_leave(slot, ctx.worker, CFI_FINISHED, &word)) {
        cfi_completion_announce(queue, slot, word);
    }
    cfi_store_relaxed(&record->tasks_settled, cfi_load_relaxed(&record->tasks));
    cfi_store_relaxed(&record->task_errors_settled, cfi_load_relaxed(&record->task_errors));
}

void cfi_worker_run(cfi_queue *queue, unsigned worker, void (*after_task)(void)) {
    cfi_record *record = &queue->records[worker];
    cfi_worker_scope scope;
    cfi_worker_enter(&scope, queue);
    cfi_store_relaxed(&record->awake_since_ns, cfi_now_ns());
    bool woken = true; /* a new worker may stand in for one that died with a wake-up in its hands */
    for (;;) {
        uint64_t word;
        cfi_slot *slot = cfi_queue_claim(queue, worker, &word);
        if (slot != NULL) {
            if (woken) {
                cfi_queue_pass_on(queue);
                woken = false;
            }
            cfi_worker_execute(queue, slot, word, after_task);
            cfi_store_release(&record->current, 0); /* nothing left behind */
        } else if (cfi_queue_sleep(queue, worker)) {
            woken = true;
        } else {
            break;
        }
    }
    cfi_worker_leave(&scope);
}
