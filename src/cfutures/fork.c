/* The public calls of cfutures_fork.h that are not inline. */
#include "cfutures/core/executor.h"
#include "cfutures/queue/program_time.h"
#include "cfutures/waiting/await.h"
#include "cfutures/worker/strand.h"

#include "platform/assert.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- strands --------------------------------------------------------------------------------- */

cf_strand *cf_task_strand(cf_task_context *ctx) {
    return cfi_strand_of(ctx);
}

void cf_fork_misused(const cf_strand *strand, const cf_fork *fork) {
    fprintf(stderr,
            "cfutures: cf_fork_take: job %p is not the last one that strand %p has pushed\n",
            (const void *)fork, (const void *)strand);
    abort();
}

/* ---- joining --------------------------------------------------------------------------------- */

/* cf_fork_take has no way to refuse a wait that can never end. Then this thread waits, and looks again
 * each LOOK_NS. */
static void await_stolen(cf_future *future) {
    enum {
        LOOK_NS = 10000000
    };
    uint64_t word;
    cf_status status = cfi_await_future(future, CF_FOREVER, &word);
    while (status != CF_OK) {
        status = cfi_await_future(future, LOOK_NS, &word);
    }
}

/* While the owner waits, its place stays as it is: what runs on top pushes behind it. */
bool cf_fork_join(cf_strand *strand, cf_fork *fork) {
    cfi_strand *self = (cfi_strand *)(void *)strand;
    plat_lock_take(&self->lock);
    const bool ours = CF_FORK_LOAD(&strand->head) <= fork; /* a thief has given it back */
    cf_future *future = ours ? NULL : self->stolen[fork - self->jobs];
    if (!ours) {
        CF_FORK_STORE(&strand->tail, fork + 1);
        CF_FORK_STORE(&strand->head, fork + 1);
    }
    plat_lock_give(&self->lock);
    if (ours) {
        return true;
    }
    await_stolen(future);
    cf_future_release(future);
    plat_lock_take(&self->lock);
    cfi_assert(CF_FORK_LOAD(&strand->tail) == fork + 1);
    CF_FORK_STORE(&strand->tail, fork);
    CF_FORK_STORE(&strand->head, fork);
    plat_lock_give(&self->lock);
    return false;
}

static const cfi_fork_frame *frame_of(const cf_strand *strand) {
    return strand->is_shared ? ((const cfi_strand *)(const void *)strand)->frames
                             : CFI_ENTRY(strand, const cfi_fork_frame, unshared);
}

bool cf_strand_cancelled(const cf_strand *strand) {
    const cfi_fork_frame *root = frame_of(strand)->root;
    const uint64_t word = plat_load_acquire(&root->slot->word);
    const int64_t until_ns = plat_load_relaxed(&root->until_ns);
    return plat_load_acquire(&root->control->terminating) != 0 ||
           (until_ns != 0 && cfi_program_time_ns(root->control) >= until_ns) ||
           !cfi_word_is_run_by(word, cfi_word_owner(root->word)) || (word & CFI_EXPIRED) != 0;
}

/* ---- from outside ---------------------------------------------------------------------------- */

static int run_root(const void *arg, void *result, cf_task_context *ctx) {
    const cf_fork *root = arg;
    (void)result;
    root->run(cf_task_strand(ctx), root->job);
    return 0;
}

static const cf_task root_task = {.name = "root", .run = run_root, .arg_size = sizeof(cf_fork)};

cf_status cf_executor_run(cf_executor *executor, cf_fork_fn *run, void *job,
                          const cf_submit_options *options) {
    const cf_fork root = {.run = run, .job = job};
    cf_future *future;
    if (run == NULL) {
        return CF_EINVAL;
    }
    if (executor != NULL && executor->ops->is_remote) {
        return CF_EUNSUPPORTED;
    }
    cf_status status = cf_executor_submit_with(executor, &root_task, &root, options, &future);
    if (status == CF_OK) {
        status = cf_future_result(future, CF_FOREVER, NULL);
        cf_future_release(future);
    }
    return status;
}

/* ---- parallel for ---------------------------------------------------------------------------- */

typedef struct range {
    size_t first, last, grain;
    cf_for_fn *body;
    void *context;
} range;

static void run_range(cf_strand *strand, void *job) {
    const range *r = job;
    if (r->last - r->first <= r->grain) {
        r->body(strand, r->first, r->last, r->context);
        return;
    }
    range halves[2] = {*r, *r};
    halves[0].last = halves[1].first = r->first + (r->last - r->first) / 2;
    cf_both(strand, run_range, &halves[0], run_range, &halves[1]);
}

void cf_fork_for(cf_strand *strand, size_t first, size_t last, size_t grain, cf_for_fn *body,
                 void *context) {
    range whole = {first, last, grain > 0 ? grain : 1, body, context};
    if (first < last) {
        run_range(strand, &whole);
    }
}
