/* Sums over what the executor and its workers have counted, under the executor's lock.
 *
 * The number of pending tasks comes from counters that only grow:
 *
 *      pending = submitted + again - cancelled - broken - the workers' begun
 *
 *   - A worker counts a run once, in `begun`, after it has begun the run.
 *   - The canceller of a pending task counts it once, in `cancelled`, after the cancelling.
 *   - So the sum is never less than the truth. It is more only until such a worker or canceller has
 *     counted.
 *   - After counting, both wake a submit that waits for room (cfi_queue_room_made).
 *   - All other changes are made under the lock: `submitted`, `again`, `broken`, and the `begun` of
 *     a dead worker (worker_death.c). */
#ifndef CFUTURES_COUNTS_H
#define CFUTURES_COUNTS_H

#include "cfutures/core/executor.h"

/* Workers whose records count: those that were started; for serial, one. */
unsigned cfi_counts_workers(const cf_executor *executor);

/* Tasks that have not begun. Too many for a moment, never too few. */
uint64_t cfi_counts_pending(const cf_executor *executor);

/* All counts of the executor. */
void cfi_counts_sum(const cf_executor *executor, cf_stats *stats);

#endif
