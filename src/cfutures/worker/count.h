/* How a worker counts the runs that end by themselves. A worker may die between any two steps: its counts
 * then hold up to the last run that was settled. */
#ifndef CFUTURES_COUNT_H
#define CFUTURES_COUNT_H

#include "cfutures/queue/queue.h"

#include "platform/assert.h"

/* Before the task is settled, so that a caller with the result finds it counted. */
static inline void cfi_count_run(cfi_record *record, bool failed, bool late) {
    plat_bump_owned(&record->tasks, 1);
    if (failed || late) {
        plat_bump_owned(&record->task_errors, 1);
        plat_bump_owned(&record->timed_out, late);
    }
}

static inline void cfi_uncount_run(cfi_record *record, bool failed, bool late) {
    plat_bump_owned(&record->tasks, (uint64_t)-1);
    plat_bump_owned(&record->task_errors, -(uint64_t)(failed || late));
    plat_bump_owned(&record->timed_out, -(uint32_t)late);
}

/* From here on the counts hold also if the worker dies. */
static inline void cfi_confirm_run(cfi_record *record, bool failed, bool late) {
    cfi_assert(plat_peek(&record->tasks_settled) <= plat_peek(&record->tasks));
    cfi_assert(plat_peek(&record->timed_out) <= plat_peek(&record->task_errors));
    plat_store_relaxed(&record->tasks_settled, plat_load_relaxed(&record->tasks));
    if (failed || late) {
        plat_store_relaxed(&record->task_errors_settled, plat_load_relaxed(&record->task_errors));
        plat_store_relaxed(&record->timed_out_settled, plat_load_relaxed(&record->timed_out));
    }
}

#endif
