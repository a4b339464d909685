/* What a worker tells an observer, if there is one (queue/events.h). */
#ifndef CFUTURES_OBSERVE_H
#define CFUTURES_OBSERVE_H

#include "cfutures/queue/events.h"
#include "cfutures/queue/slab.h"

/* Fills in what an event says of a task, and clears the rest. arg: its argument; read only if it is a chunk. limit: of
 * a run, NULL = none. times: not NULL, because an executor with an observer records them. */
void cfi_observe_task(cfi_event *event, const cfi_queue *queue, cf_event_kind kind, unsigned entry,
                      const void *arg, const int64_t *limit, const cfi_times *times,
                      unsigned attempt);

/* The task has begun. */
void cfi_observe_begun(const cfi_queue *queue, unsigned worker, const cfi_slot *slot,
                       uint64_t word);

/* The run has ended, and the task is about to be settled: its end is stamped, and its slot has detail and
 * outcome. late: it was over its time. */
void cfi_observe_ending(const cfi_queue *queue, unsigned worker, const cfi_slot *slot,
                        uint64_t word, bool late);

/* The task was settled, or another thread had settled it before. */
void cfi_observe_ended(const cfi_queue *queue, unsigned worker, bool settled);

/* A life begins; a life of a thread ends. */
void cfi_observe_start(const cfi_queue *queue, unsigned worker);
void cfi_observe_end(const cfi_queue *queue, unsigned worker);

#endif
