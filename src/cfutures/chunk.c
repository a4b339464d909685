#include "cfutures/chunk.h"

#include "cfutures/deadline.h"

#include <string.h>

/* False when the run was declared over its time, in this item or before it. */
static bool run_item(const cfi_chunk_header *header, const void *arg, void *result,
                     cf_task_context *ctx, cfi_chunk_progress *progress, uint32_t number) {
    bool limited = header->timeout_ns > 0;
    bool in_time = true;
    if (limited && !cfi_limit_begin(ctx, header->timeout_ns)) {
        return false;
    }
    cfi_store_release(&progress->begun, number + 1);
    ctx->result_size = ctx->room;
    cfi_chunk_ending *ending = &progress->endings[number];
    if (result != NULL && header->unzeroed == 0) {
        memset(result, 0, header->result_size);
    }
    ending->error = header->run(arg, result, ctx);
    if (limited) {
        in_time = cfi_limit_end(ctx);
        if (!cfi_task_is_ours(ctx)) {
            return false;
        }
    }
    ending->result_size = in_time ? (uint32_t)ctx->result_size : CFI_CHUNK_LATE;
    cfi_store_release(&progress->done, number + 1);
    return true;
}

int cfi_chunk_run(const void *arg, void *result, cf_task_context *ctx) {
    const cfi_chunk_header *header = arg;
    const unsigned char *item_arg = (const unsigned char *)(header + 1);
    unsigned char *item_result = (unsigned char *)result + cfi_chunk_results_offset(header->count);
    cf_task_context item = *ctx;
    item.arg_size = header->arg_size;
    item.room = header->result_size;
    item.attempt = header->attempt;
    for (uint32_t i = 0; i < header->count; i++) {
        if (!run_item(header, header->arg_size > 0 ? item_arg : NULL,
                      header->result_size > 0 ? item_result : NULL, &item, result, i)) {
            break; /* the rest is sent again by the caller */
        }
        item_arg += cfi_chunk_step(header->arg_size);
        item_result += cfi_chunk_step(header->result_size);
        item.attempt = 1;
    }
    return 0;
}
