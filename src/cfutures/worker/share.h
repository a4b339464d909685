/* The processors that a worker has to itself.
 *
 * Executors within executors, each with a worker for every processor, would multiply threads at each
 * level. So a worker has a share: what the creator of its executor had, divided by the number of
 * workers; at least one. It is the default for max_workers inside the worker's tasks, and for the
 * threads of OpenMP regions there. With these defaults no level has more workers than there are
 * processors, or than the first level has.
 *
 * How many processors the machine has is read when it matters: it takes as long as making an
 * executor. */
#ifndef CFUTURES_SHARE_H
#define CFUTURES_SHARE_H

#include "cfutures/worker/scope.h"

/* Of one worker with this life. */
unsigned cfi_share_of(const cfi_worker_life *life);

/* Of the calling thread: the least of the workers' around it, outside tasks all processors. */
unsigned cfi_share_of_caller(void);

/* At the start of a life, on the worker's thread. */
void cfi_share_tell_openmp(const cfi_worker_life *life);

#endif
