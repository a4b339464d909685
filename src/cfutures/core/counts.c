#include "cfutures/core/counts.h"

#include "platform/assert.h"

unsigned cfi_counts_workers(const cf_executor *executor) {
    return cfi_executor_is_serial(executor) ? 1 : plat_load_relaxed(&executor->started);
}

uint64_t cfi_counts_pending(const cf_executor *executor) {
    cfi_assert(plat_biased_lock_is_held(&executor->lock));
    const cfi_counts *counts = &executor->counts;
    cfi_assert(plat_peek(&counts->cancelled) + counts->broken + counts->lost <= counts->submitted);
    uint64_t ended = plat_load_relaxed(&counts->cancelled) + counts->broken;
    for (unsigned i = 0; i < cfi_counts_workers(executor); i++) {
        ended += plat_load_relaxed(&executor->queue.records[i].begun);
    }
    uint64_t total = counts->submitted + counts->again;
    return total > ended ? total - ended : 0; /* a task may have overwritten its worker's record */
}

/* The runs of one worker that have not ended. The worker counts on between the reads, so `ended`
 * may seem greater than `begun`: then 0. */
static unsigned running(const cfi_record *record) {
    uint64_t ended = plat_load_relaxed(&record->tasks) + plat_load_relaxed(&record->cut);
    uint64_t begun = plat_load_relaxed(&record->begun);
    return begun > ended ? (unsigned)(begun - ended) : 0;
}

void cfi_counts_sum(const cf_executor *executor, cf_stats *stats) {
    cfi_assert(plat_biased_lock_is_held(&executor->lock));
    const cfi_counts *counts = &executor->counts;
    const uint64_t lost = counts->lost + counts->broken;
    cfi_assert(counts->timed_out <= counts->lost);
    cfi_assert(executor->ops->is_remote || counts->again <= plat_peek(&counts->retries));
    *stats = (cf_stats){
        .max_workers = executor->max_workers,
        .workers = cfi_counts_workers(executor),
        .submitted = counts->submitted,
        .cancelled = plat_load_relaxed(&counts->cancelled),
        .finished = lost,
        .failed = lost,
        .timed_out = counts->timed_out,
        .retries = plat_load_relaxed(&counts->retries),
        .pending = cfi_counts_pending(executor),
    };
    cfi_assert(stats->workers <= stats->max_workers);
    for (unsigned i = 0; i < stats->workers; i++) {
        const cfi_record *record = &executor->queue.records[i];
        stats->finished += plat_load_relaxed(&record->tasks);
        stats->failed += plat_load_relaxed(&record->task_errors);
        stats->timed_out += plat_load_relaxed(&record->timed_out);
        stats->running += running(record);
        stats->restarts += plat_load_relaxed(&record->restarts);
        stats->retired += plat_load_relaxed(&record->retired);
    }
    uint64_t observed = plat_load_relaxed(&counts->observed);
    stats->unseen = stats->failed > observed ? stats->failed - observed : 0;
}
