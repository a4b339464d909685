#include "cfutures/worker/chunk.h"

#include "cfutures/queue/queue.h"
#include "cfutures/worker/limit.h"

#include "platform/assert.h"
#include "platform/barrier.h"
#include "platform/clock.h"
#include "platform/copy.h"
#include "platform/on_leaving.h"

#include <string.h>

/* ---- how items end --------------------------------------------------------------------------- */

cfi_chunk_ending cfi_chunk_ending_of(const cfi_chunk_progress *progress, size_t result_size,
                                     size_t count, uint32_t i) {
    cfi_assert(i < count);
    if (plat_load_acquire(&progress->varied) == 0) {
        return (cfi_chunk_ending){.result_size = (uint32_t)result_size};
    }
    const cfi_chunk_ending *endings = (const void *)((const unsigned char *)progress +
                                                     cfi_chunk_endings_offset(result_size, count));
    return endings[i];
}

/* Writes nothing before the first item that has not simply succeeded. */
static void note_ending(const cfi_chunk_header *header, cfi_chunk_progress *progress, uint32_t i,
                        cfi_chunk_ending ending) {
    cfi_assert(i < header->count);
    cfi_assert(ending.result_size <= header->result_size || ending.result_size == CFI_CHUNK_LATE);
    bool plain = ending.error == 0 && ending.result_size == header->result_size;
    bool varied = plat_load_relaxed(&progress->varied) != 0; /* only the worker writes it */
    if (!varied && plain) {
        return;
    }
    cfi_chunk_ending *endings =
        (void *)((unsigned char *)progress +
                 cfi_chunk_endings_offset(header->result_size, header->count));
    endings[i] = ending;
    if (!varied) {
        for (uint32_t k = 0; k < i; k++) {
            endings[k] = (cfi_chunk_ending){.result_size = (uint32_t)header->result_size};
        }
        plat_fault_point(ITEM_VARIES);
        plat_store_release(&progress->varied, 1); /* a caller may read: the time was over */
    }
}

/* Writes what the caller is to find in its arrays. */
static void leave_direct(const cfi_chunk_header *header, cfi_chunk_progress *progress, uint32_t i,
                         void *result, int error, const cf_task_context *ctx) {
    size_t good = error == 0 ? ctx->result_size : 0;
    cfi_assert(i < header->count && progress->failed <= i);
    cfi_assert(ctx->result_size <= header->result_size);
    cfi_assert(result != NULL || header->result_size == 0);
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

/* Where the worker is in a chunk. */
typedef struct place {
    const cfi_chunk_header *header;
    cfi_chunk_progress *progress;
    const unsigned char *arg; /* of item i, NULL if items have none */
    unsigned char *result;    /* likewise */
    uint32_t i;
    bool notes_all; /* notes how an item ended also if it has simply succeeded; or a fork */
    cf_task_context ctx;
} place;

/* Notes what the item has returned. in_time: it was not over its time limit. */
static void note(place *at, int error, bool in_time) {
    cfi_assert(in_time || !at->header->is_direct);
    cfi_worker_end_forked_child(error);
    if (at->header->is_direct) {
        leave_direct(at->header, at->progress, at->i, at->result, error, &at->ctx);
    } else {
        uint32_t size = in_time ? (uint32_t)at->ctx.result_size : CFI_CHUNK_LATE;
        note_ending(at->header, at->progress, at->i, (cfi_chunk_ending){error, size});
        at->notes_all = plat_load_relaxed(&at->progress->varied) != 0;
    }
}

/* ---- running --------------------------------------------------------------------------------- */

/* Takes items from i on, at most so many, and returns the end of them: i if there are none. The caller
 * may have moved the chunk's end. */
static inline uint32_t take_items(cfi_chunk_progress *progress, uint32_t i, uint32_t most) {
    cfi_assert(most > 0 && plat_peek(&progress->done) == i);
    plat_store_release(&progress->begun, i + most);
    plat_barrier_light(); /* begun is written before end is read */
    uint32_t end = plat_load_relaxed(&progress->end);
    return end > i + most ? i + most : end > i ? end : i;
}

/* Runs items until the chunk ends, or until the caller has taken back the rest. A map of tiny items
 * costs what this loop costs, so what changes with each item is in locals, to be kept in registers: for
 * the compiler, a task may see all that `at` points to. Addresses are numbers, because items may have no
 * argument or no result, and C does not define NULL + 0. */
__attribute__((noinline)) static void run_items(place *at, size_t arg_step, size_t result_step) {
    cfi_chunk_progress *const progress = at->progress;
    cf_task_fn *const run = at->header->run;
    const size_t room = at->header->result_size;
    const uint32_t together = at->header->together;
    const bool clears = at->header->unzeroed == 0 && room > 0;
    uintptr_t arg = (uintptr_t)at->arg, result = (uintptr_t)at->result;
    cfi_assert(at->header->timeout_ns <= 0);
    cfi_assert((arg != 0 || arg_step == 0) && (result != 0 || result_step == 0));
    at->ctx.result_size = room;
    uint32_t i = 0, end, most = at->ctx.attempt > 1 ? 1 : together;
    while ((end = take_items(progress, i, most)) > i) {
        cfi_assert(end <= at->header->count);
        if (clears) {
            plat_clear((void *)result, result_step * (end - i));
        }
        while (i < end) {
            cfi_fault_point(at->ctx.queue, at->ctx.worker, ITEM_BEGUN);
            int error = run((const void *)arg, (void *)result, &at->ctx);
            cfi_fault_point(at->ctx.queue, at->ctx.worker, ITEM_RETURNED);
            size_t differs = (size_t)error | (at->ctx.result_size ^ room) | at->notes_all;
            if (__builtin_expect(differs != 0, 0)) {
                at->i = i;
                at->result = (unsigned char *)result;
                note(at, error, true);
                at->ctx.result_size = room;
            }
            plat_store_release(&progress->done, ++i);
            cfi_fault_point(at->ctx.queue, at->ctx.worker, ITEM_DONE);
            arg += arg_step;
            result += result_step;
        }
        at->ctx.attempt = 1;
        most = together;
    }
}

/* The task has left its item by pthread_exit or an exception: nothing may point to the limit. */
static void end_limit_if_left(cf_task_context **limited) {
    if (*limited != NULL) {
        cfi_limit_end(*limited);
    }
}

/* The same with a time limit for each item. Ends also if the run was declared over its time. An item
 * has begun before its limit is shown. So the caller never sends an item again that a late thread
 * still runs. */
static void run_limited_items(place *at, size_t arg_step, size_t result_step) {
    cfi_assert(!at->header->is_direct); /* a late thread must not write to the caller's arrays */
    while (cfi_limit_renew(&at->ctx) && take_items(at->progress, at->i, 1) > at->i) {
        cfi_limit_show(&at->ctx, at->header->timeout_ns);
        cf_task_context *limited PLAT_ON_LEAVING(end_limit_if_left) = &at->ctx;
        cfi_assert(at->i < at->header->count);
        at->ctx.result_size = at->ctx.room;
        if (at->result != NULL && at->header->unzeroed == 0) {
            plat_clear(at->result, at->ctx.room);
        }
        int error = at->header->run(at->arg, at->result, &at->ctx);
        cfi_fault_point(at->ctx.queue, at->ctx.worker, ITEM_RETURNED);
        cfi_worker_end_forked_child(error);
        bool in_time = cfi_limit_end(&at->ctx);
        limited = NULL;
        if (!cfi_task_is_ours(&at->ctx)) {
            return;
        }
        note(at, error, in_time);
        plat_store_release(&at->progress->done, ++at->i);
        cfi_fault_point(at->ctx.queue, at->ctx.worker, ITEM_DONE);
        at->ctx.attempt = 1;
        at->arg = at->arg != NULL ? at->arg + arg_step : NULL;
        at->result = at->result != NULL ? at->result + result_step : NULL;
    }
}

static place first_place(const cfi_chunk_header *header, cfi_chunk_progress *progress,
                         const cf_task_context *ctx) {
    place at = {.header = header, .progress = progress, .ctx = *ctx};
    bool direct = header->is_direct != 0;
    cfi_assert(header->count > 0 && header->attempt > 0);
    if (header->arg_size > 0) {
        at.arg = direct ? header->direct.args : (const unsigned char *)(header + 1);
    }
    if (header->result_size > 0) {
        at.result = direct ? header->direct.results : (unsigned char *)(progress + 1);
    }
    at.notes_all = direct && header->direct.exceptions != NULL;
    at.ctx.arg_size = header->arg_size;
    at.ctx.room = header->result_size;
    at.ctx.attempt = header->attempt;
    return at;
}

int cfi_chunk_run(const void *arg, void *result, cf_task_context *ctx) {
    const cfi_chunk_header *header = arg;
    place at = first_place(header, result, ctx);
    const bool direct = header->is_direct != 0;
    size_t arg_step = direct ? header->arg_size : cfi_chunk_step(header->arg_size);
    size_t result_step = direct ? header->result_size : cfi_chunk_step(header->result_size);
    cfi_worker_notice_fork(&at.notes_all);
    int64_t start_ns = plat_now_ns();
    if (header->timeout_ns > 0) {
        run_limited_items(&at, arg_step, result_step);
    } else {
        run_items(&at, arg_step, result_step);
    }
    cfi_assert(plat_peek(&at.progress->done) <= header->count);
    at.progress->busy_ns = plat_now_ns() - start_ns;
    cfi_worker_notice_fork(NULL);
    return 0; /* the caller sends again what was not run */
}

/* ---- taking back ----------------------------------------------------------------------------- */

uint32_t cfi_chunk_take_back(cfi_chunk_progress *progress, uint32_t end, bool shared) {
    uint32_t begun = plat_load_acquire(&progress->begun);
    if (begun == 0 || begun >= end) {
        return 0;
    }
    uint32_t half = begun + (end - begun) / 2;
    cfi_assert(half >= begun && half < end);
    plat_store_relaxed(&progress->end, half);
    plat_barrier_heavy(shared); /* end is written before begun is read */
    plat_fault_point(TAKE_BACK_MOVED);
    if (plat_load_acquire(&progress->begun) <= half) {
        return half;
    }
    plat_store_relaxed(&progress->end, end); /* the worker may have seen `half` all the same */
    return 0;
}
