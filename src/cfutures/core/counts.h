/* Sums over what the executor and its workers have counted, under the executor's lock.
 *
 * No sum is taken of words that jump up and down. A worker counts a task once, in `begun`, when it
 * has begun it; whoever cancels a pending task counts it once, in `cancelled`. Both only grow. So
 *
 *      pending = submitted + again - cancelled - broken - the workers' begun
 *
 * is never less than the truth, and more only until the worker or the canceller that is at it has
 * counted; then it wakes a submit that waits for room (cfi_queue_room_made). What others write of
 * it they write under the lock: `again`, and a dead worker's `begun` (worker_death.c). */
#ifndef CFUTURES_COUNTS_H
#define CFUTURES_COUNTS_H

#include "cfutures/core/executor.h"

/* Workers whose records count: those started; serial has one. */
unsigned cfi_counts_workers(const cf_executor *executor);

/* Tasks that have not begun, at least. */
uint64_t cfi_counts_pending(const cf_executor *executor);

/* All of them. */
void cfi_counts_sum(const cf_executor *executor, cf_stats *stats);

#endif
