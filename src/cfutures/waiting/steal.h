/* Stealing a job that another worker's task has forked (worker/strand.h). It becomes a task, which runs
 * at once: a slot that is open and begun in one step.
 *
 * To steal is dear, some 10 us with the barrier, so it must be rare. The oldest job is the largest in most
 * recursions. A thief that has gained little pauses, ever longer. */
#ifndef CFUTURES_STEAL_H
#define CFUTURES_STEAL_H

#include "cfutures/core/executor.h"

/* How long a thread should pause that has run another's task or job, which took took_ns. before_ns: its last
 * pause. 0 if that was worth it; else twice as long as before, up to most_ns. */
int64_t cfi_pause_after(int64_t took_ns, int64_t before_ns, int64_t most_ns);

/* A task may fork from now on. */
void cfi_steal_may_begin(cfi_queue *queue);

/* For an idle worker: a job that it is to run as the task in this slot, which has begun. NULL: found
 * none. */
cfi_slot *cfi_steal(cfi_queue *queue, unsigned worker, uint64_t *word);

/* For a worker that waits for the future's task, which runs: a job that this one has forked, directly or
 * through others. */
cfi_slot *cfi_steal_for(cf_future *future, unsigned worker, uint64_t *word);

#endif
