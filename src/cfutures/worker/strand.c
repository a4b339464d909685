#include "cfutures/worker/strand.h"

#include "platform/assert.h"

#include <stdlib.h>

static cfi_strand *make_strand(cfi_queue *queue) {
    cfi_strand *strand = calloc(1, sizeof *strand);
    if (strand != NULL) {
        plat_lock_init(&strand->lock);
        strand->queue = queue;
        strand->shared = (cf_strand){
            .tail = strand->jobs,
            .limit = strand->jobs + CF_FORKS_SHARED,
            .head = strand->jobs,
            .is_shared = true,
        };
    }
    return strand;
}

static cfi_strand *strand_of_worker(const cf_task_context *ctx) {
    cfi_queue *queue = ctx->queue;
    if (queue->forks == NULL) {
        return NULL;
    }
    _Atomic(cfi_strand *) *place = &queue->forks->strands[ctx->worker];
    cfi_strand *strand = plat_load_relaxed(place); /* made by this thread, or by one before it */
    if (strand == NULL && (strand = make_strand(queue)) != NULL) {
        plat_store_release(place, strand);
    }
    return strand;
}

static void enter(cfi_strand *strand, cfi_fork_frame *frame) {
    plat_lock_take(&strand->lock);
    frame->base = CF_FORK_LOAD(&strand->shared.tail);
    frame->outer = strand->frames;
    strand->frames = frame;
    plat_lock_give(&strand->lock);
    plat_add_seq_cst(&strand->queue->forks->regions, 1);
    strand->queue->forks->opened(strand->queue);
}

static void open_frame(cfi_fork_frame *frame, const cf_task_context *ctx) {
    frame->root = frame;
    frame->control = ctx->queue->control;
    frame->slot = ctx->slot;
    frame->word = ctx->word;
    frame->unshared =
        (cf_strand){.tail = &frame->place, .limit = &frame->place, .head = &frame->place};
    frame->strand = strand_of_worker(ctx);
    if (frame->strand != NULL) {
        enter(frame->strand, frame);
    }
}

cf_strand *cfi_strand_of(cf_task_context *ctx) {
    cfi_fork_frame *frame = ctx->frame;
    if (frame->root == NULL) {
        open_frame(frame, ctx);
    }
    plat_store_relaxed(&frame->until_ns, ctx->until_ns);
    return frame->strand != NULL ? &frame->strand->shared : &frame->unshared;
}

void cfi_strand_leave(cfi_fork_frame *frame) {
    cfi_strand *strand = frame->strand;
    cfi_assert(strand->frames == frame);
    cfi_assert(CF_FORK_LOAD(&strand->shared.tail) == frame->base); /* it has taken all jobs */
    plat_lock_take(&strand->lock);
    if (CF_FORK_LOAD(&strand->shared.tail) != frame->base) { /* then its jobs are lost */
        CF_FORK_STORE(&strand->shared.tail, frame->base);
        CF_FORK_STORE(&strand->shared.head, frame->base);
    }
    strand->frames = frame->outer;
    plat_lock_give(&strand->lock);
    plat_sub_relaxed(&strand->queue->forks->regions, 1);
}

const cfi_fork_frame *cfi_strand_frame_of(const cfi_strand *strand, const cf_fork *fork) {
    const cfi_fork_frame *frame = strand->frames;
    while (frame != NULL && frame->base > fork) {
        frame = frame->outer;
    }
    return frame;
}

void cfi_strands_free(cfi_forks *forks, unsigned workers) {
    for (unsigned i = 0; forks != NULL && i < workers; i++) {
        cfi_strand *strand = plat_load_relaxed(&forks->strands[i]);
        if (strand != NULL) {
            cfi_assert(strand->frames == NULL);
            plat_lock_destroy(&strand->lock);
            free(strand);
        }
    }
    free(forks);
}
