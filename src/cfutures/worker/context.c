#include "cfutures/worker/context.h"

#include "cfutures/queue/program_time.h"

unsigned cf_task_worker(const cf_task_context *ctx) {
    return ctx->first_worker + ctx->worker;
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
    uint64_t word = plat_load_acquire(&ctx->slot->word);
    return cfi_word_is_run_by(word, cfi_word_owner(ctx->word)) && (word & CFI_EXPIRED) == 0;
}

bool cf_task_cancelled(const cf_task_context *ctx) {
    const cfi_control *control = ctx->queue->control;
    return plat_load_acquire(&control->terminating) != 0 ||
           (ctx->until_ns != 0 && cfi_program_time_ns(control) >= ctx->until_ns) ||
           !cfi_task_is_ours(ctx);
}
