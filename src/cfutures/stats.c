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
    plat_biased_lock_take(&executor->lock);
    cfi_counts_sum(executor, stats);
    plat_biased_lock_give(&executor->lock);
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
    int64_t awake_since_ns = plat_load_relaxed(&record->awake_since_ns);
    *stats = (cf_worker_stats){
        .id = plat_load_relaxed(&record->id),
        .tasks = plat_load_relaxed(&record->tasks),
        .busy_ns = plat_load_relaxed(&record->busy_ns) +
                   (awake_since_ns != 0 ? plat_now_ns() - awake_since_ns : 0),
        .restarts = plat_load_relaxed(&record->restarts),
        .retired = plat_load_relaxed(&record->retired),
    };
    return CF_OK;
}
