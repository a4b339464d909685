#include "cfutures/chunk.h"

#include "cfutures/deadline.h"

#include "platform/barrier.h"
#include "platform/clock.h"
#include "platform/copy.h"

#include <string.h>

/* ---- how items end --------------------------------------------------------------------------- */

cfi_chunk_ending cfi_chunk_ending_of(const cfi_chunk_progress *progress, size_t result_size,
                                     size_t count, uint32_t i) {
    if (progress->varied == 0) {
        return (cfi_chunk_ending){.result_size = (uint32_t)result_size};
    }
    const cfi_chunk_ending *endings = (const void *)((const unsigned char *)progress +
                                                     cfi_chunk_endings_offset(result_size, count));
    return endings[i];
}

/* Only from the first item on that is worth it. */
static void note_ending(const cfi_chunk_header *header, cfi_chunk_progress *progress, uint32_t i,
                        cfi_chunk_ending ending) {
    bool plain = ending.error == 0 && ending.result_size == header->result_size;
    if (progress->varied == 0 && plain) {
        return;
    }
    cfi_chunk_ending *endings =
        (void *)((unsigned char *)progress +
                 cfi_chunk_endings_offset(header->result_size, header->count));
    for (uint32_t k = 0; progress->varied == 0 && k < i; k++) {
        endings[k] = (cfi_chunk_ending){.result_size = (uint32_t)header->result_size};
    }
    progress->varied = 1;
    endings[i] = ending;
}

/* What the caller is to find in its arrays. */
static void leave_direct(const cfi_chunk_header *header, cfi_chunk_progress *progress, uint32_t i,
                         void *result, int error, const cf_task_context *ctx) {
    size_t good = error == 0 ? ctx->result_size : 0;
    if (good < header->result_size) {
        memset((unsigned char *)result + good, 0, header->result_size - good);
    }
    if (error != 0 && progress->failed == 0) {
        progress->failed = i + 1;
        progress->error = error;
    }
    if (header->direct.exceptions != NULL) {
        header->direct.exceptions[i] = (cf_exception){
            .status = error == 0 ? CF_OK : CF_ETASK,
            .task_error = error,
            .worker = (int)ctx->worker,
        };
    }
}

/* ---- running --------------------------------------------------------------------------------- */

/* Item i is this worker's, unless the caller has taken it back. */
static bool take_item(cfi_chunk_progress *progress, uint32_t i) {
    cfi_store_release(&progress->begun, i + 1);
    cfi_barrier_light(); /* begun is written before end is read */
    return i < cfi_load_relaxed(&progress->end);
}

/* False when the rest of the chunk is not this worker's any more: taken back by the caller, or the
 * run was declared over its time, in this item or before it. */
static bool run_item(const cfi_chunk_header *header, const void *arg, void *result,
                     cf_task_context *ctx, cfi_chunk_progress *progress, uint32_t i) {
    bool limited = header->timeout_ns > 0;
    bool in_time = true;
    if (limited && !cfi_limit_begin(ctx, header->timeout_ns)) {
        return false;
    }
    if (!take_item(progress, i)) {
        if (limited) {
            cfi_limit_end(ctx);
        }
        return false;
    }
    ctx->result_size = ctx->room;
    if (result != NULL && header->unzeroed == 0) {
        cfi_clear(result, header->result_size);
    }
    int error = header->run(arg, result, ctx);
    if (limited) {
        in_time = cfi_limit_end(ctx);
        if (!cfi_task_is_ours(ctx)) {
            return false;
        }
    }
    if (!header->is_direct) {
        uint32_t size = in_time ? (uint32_t)ctx->result_size : CFI_CHUNK_LATE;
        note_ending(header, progress, i, (cfi_chunk_ending){error, size});
    } else if (error != 0 || ctx->result_size != ctx->room || header->direct.exceptions != NULL) {
        leave_direct(header, progress, i, result, error, ctx);
    }
    cfi_store_release(&progress->done, i + 1);
    return true;
}

int cfi_chunk_run(const void *arg, void *result, cf_task_context *ctx) {
    const cfi_chunk_header *header = arg;
    cfi_chunk_progress *progress = result;
    bool direct = header->is_direct != 0;
    const unsigned char *args = direct ? header->direct.args : (const unsigned char *)(header + 1);
    unsigned char *results = direct ? header->direct.results : (unsigned char *)(progress + 1);
    size_t arg_step = cfi_chunk_step(header->arg_size);
    size_t result_step = cfi_chunk_step(header->result_size);
    cf_task_context item = *ctx;
    item.arg_size = header->arg_size;
    item.room = header->result_size;
    item.attempt = header->attempt;
    int64_t start_ns = cfi_now_ns();
    for (uint32_t i = 0; i < cfi_load_relaxed(&progress->end); i++) {
        if (!run_item(header, arg_step > 0 ? args : NULL, result_step > 0 ? results : NULL, &item,
                      progress, i)) {
            break; /* the rest is sent again by the caller */
        }
        args += arg_step;
        results += result_step;
        item.attempt = 1;
    }
    progress->busy_ns = cfi_now_ns() - start_ns;
    return 0;
}

/* ---- taking back ----------------------------------------------------------------------------- */

uint32_t cfi_chunk_take_back(cfi_chunk_progress *progress, bool shared) {
    uint32_t begun = cfi_load_acquire(&progress->begun);
    uint32_t end = cfi_load_relaxed(&progress->end); /* the caller's own */
    if (begun == 0 || begun >= end) {
        return 0;
    }
    uint32_t half = begun + (end - begun) / 2;
    cfi_store_relaxed(&progress->end, half);
    cfi_barrier_heavy(shared); /* end is written before begun is read */
    return cfi_load_acquire(&progress->begun) <= half ? half : 0;
}
