/* What an executor has done so far. */
#include "cfutures/executor.h"

#include "platform/clock.h"
#include "platform/fork_mark.h"

cf_status cf_executor_stats(cf_executor *executor, cf_stats *stats) {
    if (executor == NULL || stats == NULL) {
        return CF_EINVAL;
    }
    if (!cfi_fork_mark_is_ours(executor->fork_mark)) {
        return CF_EFORKED;
    }
    cfi_lock_take(&executor->lock);
    *stats = (cf_stats){
        .max_workers = executor->max_workers,
        .workers = executor->ops->start_worker == NULL ? 1 : executor->started,
        .submitted = executor->submitted,
        .cancelled = cfi_load_relaxed(&executor->cancelled),
        .finished = cfi_load_relaxed(&executor->lost),
        .failed = cfi_load_relaxed(&executor->lost),
        .retries = cfi_load_relaxed(&executor->retries),
    };
    for (unsigned i = 0; i < stats->workers; i++) {
        const cfi_record *record = &executor->queue.records[i];
        stats->finished += cfi_load_relaxed(&record->tasks);
        stats->failed += cfi_load_relaxed(&record->task_errors);
        stats->running += cfi_load_relaxed(&record->running);
        stats->restarts += cfi_load_relaxed(&record->restarts);
    }
    cfi_lock_give(&executor->lock);
    uint64_t begun = stats->finished + stats->cancelled + stats->running;
    stats->pending = stats->submitted > begun ? stats->submitted - begun : 0;
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
    };
    return CF_OK;
}
