/* What an executor has done so far. */
#include "cfutures/core/executor.h"

#include "platform/clock.h"
#include "platform/fork_mark.h"

static unsigned worker_count(const cf_executor *executor) {
    return executor->ops->start_worker == NULL ? 1 : cfi_load_relaxed(&executor->started);
}

uint64_t cfi_executor_pending(cf_executor *executor) {
    uint64_t begun = cfi_load_relaxed(&executor->cancelled) + cfi_load_relaxed(&executor->lost);
    for (unsigned i = 0; i < worker_count(executor); i++) {
        const cfi_record *record = &executor->queue.records[i];
        begun += cfi_load_relaxed(&record->running) + cfi_load_relaxed(&record->tasks);
    }
    begun -= cfi_load_relaxed(&executor->occupied);
    return executor->submitted > begun ? executor->submitted - begun : 0;
}

cf_status cf_executor_stats(cf_executor *executor, cf_stats *stats) {
    if (executor == NULL || stats == NULL) {
        return CF_EINVAL;
    }
    if (!cfi_fork_mark_is_ours(executor->fork_mark)) {
        return CF_EFORKED;
    }
    cfi_biased_lock_take(&executor->lock);
    *stats = (cf_stats){
        .max_workers = executor->max_workers,
        .workers = worker_count(executor),
        .submitted = executor->submitted,
        .cancelled = cfi_load_relaxed(&executor->cancelled),
        .finished = cfi_load_relaxed(&executor->lost),
        .failed = cfi_load_relaxed(&executor->lost),
        .timed_out = cfi_load_relaxed(&executor->timed_out),
        .retries = cfi_load_relaxed(&executor->retries),
    };
    for (unsigned i = 0; i < stats->workers; i++) {
        const cfi_record *record = &executor->queue.records[i];
        stats->finished += cfi_load_relaxed(&record->tasks);
        stats->failed += cfi_load_relaxed(&record->task_errors);
        stats->timed_out += cfi_load_relaxed(&record->timed_out);
        stats->running += cfi_load_relaxed(&record->running);
        stats->restarts += cfi_load_relaxed(&record->restarts);
        stats->retired += cfi_load_relaxed(&record->retired);
    }
    uint64_t occupied = cfi_load_relaxed(&executor->occupied);
    stats->running -= occupied < stats->running ? occupied : stats->running;
    uint64_t seen = cfi_load_relaxed(&executor->seen);
    stats->unseen = stats->failed > seen ? stats->failed - seen : 0;
    stats->pending = cfi_executor_pending(executor);
    cfi_biased_lock_give(&executor->lock);
    return CF_OK;
}

cf_status cf_executor_worker_stats(cf_executor *executor, unsigned worker, cf_worker_stats *stats) {
    cf_stats all;
    cf_status status = stats != NULL ? cf_executor_stats(executor, &all) : CF_EINVAL;
    if (status != CF_OK) {
        return status;
    }
    if (worker >= all.workers) {
        return CF_EINVAL;
    }
    const cfi_record *record = &executor->queue.records[worker];
    int64_t awake_since_ns = cfi_load_relaxed(&record->awake_since_ns);
    *stats = (cf_worker_stats){
        .id = cfi_load_relaxed(&record->id),
        .tasks = cfi_load_relaxed(&record->tasks),
        .busy_ns = cfi_load_relaxed(&record->busy_ns) +
                   (awake_since_ns != 0 ? cfi_now_ns() - awake_since_ns : 0),
        .restarts = cfi_load_relaxed(&record->restarts),
        .retired = cfi_load_relaxed(&record->retired),
    };
    return CF_OK;
}
