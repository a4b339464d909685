#include "cfutures/worker/limit.h"

#include "cfutures/queue/program_time.h"
#include "cfutures/queue/queue.h"

#include "platform/assert.h"

/* The deadline thread reads run_until, limited, the slot's word, and run_until again, in this
 * order. So `limited` changes only while run_until is 0. */
static void publish(cfi_queue *queue, cfi_record *record, uint32_t limited, int64_t until_ns) {
    cfi_assert(until_ns == 0 || limited > 0);
    plat_store_release(&record->run_until_ns, 0);
    plat_store_release(&record->limited, limited);
    plat_store_seq_cst(&record->run_until_ns, until_ns);
    if (until_ns != 0 && until_ns < plat_load_seq_cst(&queue->control->deadline_at_ns)) {
        plat_event_ring_always(&queue->control->deadline, queue->shared);
    }
}

static cfi_limits *shared_limits(const cf_task_context *ctx) {
    return ctx->outer.until_ns != 0 ? ctx->runner->limits : NULL;
}

/* The run around this one waits: puts its limit aside. */
static void push_outer(cf_task_context *ctx, const cfi_record *record) {
    ctx->outer = (cfi_outer_limit){
        .until_ns = plat_load_relaxed(&record->run_until_ns),
        .limited = plat_load_relaxed(&record->limited),
    };
    cfi_limits *limits = shared_limits(ctx);
    cfi_assert(ctx->outer.until_ns == 0 || !ctx->queue->shared); /* only threads nest */
    if (limits == NULL) {
        return;
    }
    cfi_assert(limits->of != NULL);
    cfi_worker_limit *own = &limits->of[ctx->worker];
    plat_lock_take(&limits->lock);
    ctx->outer.ended = ctx->outer.until_ns == own->ended_ns;
    ctx->outer.next = own->outer;
    own->outer = &ctx->outer;
    plat_lock_give(&limits->lock);
}

/* Takes the limit back, unless its run was declared over its time meanwhile. */
static void pop_outer(cf_task_context *ctx) {
    cfi_limits *limits = shared_limits(ctx);
    if (limits == NULL) {
        return;
    }
    plat_lock_take(&limits->lock);
    cfi_assert(limits->of[ctx->worker].outer == &ctx->outer); /* limits nest */
    limits->of[ctx->worker].outer = ctx->outer.next;
    if (ctx->outer.ended) {
        ctx->outer.until_ns = 0;
    }
    plat_lock_give(&limits->lock);
}

bool cfi_limit_renew(const cf_task_context *ctx) {
    return cfi_slot_tick(ctx->slot, ctx->worker);
}

static int64_t end_of(int64_t timeout_ns, int64_t time_ns) {
    return timeout_ns > INT64_MAX - time_ns ? INT64_MAX : time_ns + timeout_ns;
}

void cfi_limit_show(cf_task_context *ctx, int64_t timeout_ns) {
    cfi_record *record = &ctx->queue->records[ctx->worker];
    cfi_assert(timeout_ns > 0);
    ctx->until_ns = end_of(timeout_ns, cfi_program_time_ns(ctx->queue->control));
    push_outer(ctx, record);
    publish(ctx->queue, record, cfi_queue_index(ctx->queue, ctx->slot) + 1, ctx->until_ns);
    cfi_fault_point(ctx->queue, ctx->worker, LIMIT_SHOWN);
}

bool cfi_limit_begin(cf_task_context *ctx, int64_t timeout_ns) {
    cfi_assert(ctx->until_ns == 0);
    bool ours = cfi_limit_renew(ctx);
    if (ours) {
        cfi_limit_show(ctx, timeout_ns);
    }
    return ours;
}

bool cfi_limit_end(cf_task_context *ctx) {
    cfi_assert(ctx->until_ns != 0);
    pop_outer(ctx);
    publish(ctx->queue, &ctx->queue->records[ctx->worker], ctx->outer.limited, ctx->outer.until_ns);
    cfi_fault_point(ctx->queue, ctx->worker, LIMIT_ENDED);
    return cfi_program_time_ns(ctx->queue->control) < ctx->until_ns && cfi_task_is_ours(ctx);
}
