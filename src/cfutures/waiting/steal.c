#include "cfutures/waiting/steal.h"

#include "cfutures/core/submission.h"
#include "cfutures/queue/tuning.h"
#include "cfutures/queue/wakeup.h"
#include "cfutures/worker/strand.h"

#include "platform/assert.h"
#include "platform/barrier.h"
#include "platform/clock.h"

/* ---- the stolen job, as a task --------------------------------------------------------------- */

typedef struct stolen_job {
    cf_fork fork;
    cfi_fork_frame *root; /* of the task that has forked it, which waits for its end */
} stolen_job;

/* Of the calling thread, as a thief. */
static _Thread_local int64_t pause_ns, not_before_ns;

int64_t cfi_pause_after(int64_t took_ns, int64_t before_ns, int64_t most_ns) {
    const int64_t longer_ns = before_ns > 0 ? 2 * before_ns : CFI_HELP_WORTH_NS;
    if (took_ns >= CFI_HELP_WORTH_NS) {
        return 0;
    }
    return longer_ns <= most_ns ? longer_ns : before_ns;
}

static void adapt_pause(int64_t took_ns) {
    pause_ns = cfi_pause_after(took_ns, pause_ns, CFI_STEAL_PAUSE_MAX_NS);
    not_before_ns = pause_ns > 0 ? plat_now_ns() + pause_ns : 0;
}

/* It may fork in turn, on the strand of the worker that runs it. */
static int run_stolen(const void *arg, void *result, cf_task_context *ctx) {
    const stolen_job *job = arg;
    const int64_t begun_ns = plat_now_ns();
    (void)result;
    cf_strand *strand = cfi_strand_of(ctx);
    ctx->frame->root = job->root;
    job->fork.run(strand, job->fork.job);
    adapt_pause(plat_now_ns() - begun_ns);
    return 0;
}

static const cf_task stolen_task = {
    .name = "fork", .run = run_stolen, .arg_size = sizeof(stolen_job)};

/* ---- the theft ------------------------------------------------------------------------------- */

/* The oldest job is the thief's from now on, or false. Under the strand's lock. */
static bool take_oldest(cf_strand *strand, cf_fork *oldest) {
    CF_FORK_STORE(&strand->head, oldest + 1);
    plat_barrier_heavy(false); /* head is written before tail is read */
    const bool taken = plat_barrier_is_expedited() && oldest < CF_FORK_LOAD_ACQUIRE(&strand->tail);
    if (!taken) {
        CF_FORK_STORE(&strand->head, oldest);
    }
    return taken;
}

/* Under the strand's lock. False: the executor refuses one more task. Then the owner keeps the job. */
static bool make_task(cf_executor *executor, cfi_strand *victim, cf_fork *oldest,
                      const cfi_fork_frame *frame, unsigned worker, cfi_slot **slot,
                      uint64_t *word) {
    const stolen_job job = {
        .fork = {CF_FORK_LOAD(&oldest->run), CF_FORK_LOAD(&oldest->job)},
        .root = frame->root,
    };
    const cfi_submission submission = {.task = &stolen_task, .arg = &job, .until_ns = 0};
    cf_future *future;
    cf_status status =
        cfi_submission_begin(executor, &submission, frame->slot, worker, &future, word);
    if (status == CF_OK) {
        victim->stolen[oldest - victim->jobs] = future;
        *slot = cfi_slot_of(future);
    }
    return status == CF_OK;
}

/* ancestor: the job must descend from this task; NULL = from any. */
static cfi_slot *steal_from(cf_executor *executor, cfi_strand *victim, const cf_future *ancestor,
                            unsigned worker, uint64_t *word) {
    cfi_slot *slot = NULL;
    cf_strand *strand = &victim->shared;
    if (CF_FORK_LOAD(&strand->head) >= CF_FORK_LOAD(&strand->tail)) {
        return NULL;
    }
    plat_lock_take(&victim->lock);
    cf_fork *oldest = CF_FORK_LOAD(&strand->head);
    const cfi_fork_frame *frame =
        oldest < CF_FORK_LOAD(&strand->tail) ? cfi_strand_frame_of(victim, oldest) : NULL;
    if (frame != NULL && cfi_submission_descends(executor, frame->slot, ancestor)) {
        if (!take_oldest(strand, oldest)) {
            adapt_pause(0); /* the owner was quicker: its jobs are small */
        } else if (!make_task(executor, victim, oldest, frame, worker, &slot, word)) {
            CF_FORK_STORE(&strand->head, oldest);
        }
    }
    plat_lock_give(&victim->lock);
    return slot;
}

/* What this thread has gained lately was not worth it. */
static bool has_paused(void) {
    if (not_before_ns == 0) {
        return true;
    }
    const int64_t late_ns = plat_now_ns() - not_before_ns;
    if (late_ns > CFI_STEAL_FORGET_NS) {
        pause_ns = 0;
    }
    return late_ns >= 0;
}

static cfi_slot *steal(cf_executor *executor, const cf_future *ancestor, unsigned worker,
                       uint64_t *word) {
    const cfi_forks *forks = executor->queue.forks;
    const unsigned workers = plat_load_relaxed(&executor->started);
    cfi_slot *slot = NULL;
    if (plat_load_relaxed(&forks->regions) == 0 || !plat_barrier_is_expedited() || !has_paused()) {
        return NULL;
    }
    for (unsigned i = 1; i < workers && slot == NULL; i++) {
        cfi_strand *victim = plat_load_acquire(&forks->strands[(worker + i) % workers]);
        if (victim != NULL) {
            slot = steal_from(executor, victim, ancestor, worker, word);
        }
    }
    return slot;
}

void cfi_steal_may_begin(cfi_queue *queue) {
    cf_executor *executor = CFI_ENTRY(queue, cf_executor, queue);
    if (plat_load_relaxed(&executor->started) < executor->workers_for_forks) {
        cfi_submission_start_worker(executor);
    }
    cfi_queue_wake_one(queue);
}

cfi_slot *cfi_steal(cfi_queue *queue, unsigned worker, uint64_t *word) {
    cf_executor *executor = CFI_ENTRY(queue, cf_executor, queue);
    cfi_slot *slot = steal(executor, NULL, worker, word);
    if (slot != NULL) {
        plat_store_relaxed(&queue->records[worker].current, cfi_queue_index(queue, slot) + 1);
    }
    return slot;
}

cfi_slot *cfi_steal_for(cf_future *future, unsigned worker, uint64_t *word) {
    cf_executor *executor = cfi_executor_of(future);
    return executor->queue.forks != NULL ? steal(executor, future, worker, word) : NULL;
}
