/* The statistics of an executor and of its workers. */
#include "cfutures/core/counts.h"

#include "platform/clock.h"

cf_status cf_executor_stats(cf_executor *executor, cf_stats *stats) {
    if (executor == NULL || stats == NULL) {
        return CF_EINVAL;
    }
    if (cfi_executor_is_foreign(executor)) {
        return CF_EFORKED;
    }
    cfi_biased_lock_take(&executor->lock);
    cfi_counts_sum(executor, stats);
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
