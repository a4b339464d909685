/* The processors that a worker has to itself.
 *
 * Executors within executors, each with a worker for every processor, would multiply threads at
 * each level. So a worker has a share: what the creator of its executor had, divided by the number
 * of workers; at least one.
 *
 *   - It is the default for max_workers inside the worker's tasks, and for the threads of OpenMP
 *     regions there.
 *   - With these defaults no level has more workers than there are processors, or than the first
 *     level has.
 *   - The machine's limits are read when an executor is made, not when its workers start. To read
 *     them takes 0.2 ms, as long as making an executor, and locks that a forked worker should not
 *     need.
 *   - If the user gives max_workers, no min_workers, and OpenMP's number is not set, they are not read
 *     yet. A task that makes an executor then reads them.
 *   - libcfutures is not linked to OpenMP. It finds the function that sets the number of threads by
 *     name, when an executor is made (platform/openmp_runtime.h). */
#ifndef CFUTURES_CPU_SHARE_H
#define CFUTURES_CPU_SHARE_H

#include "cfutures/worker/scope.h"

/* The share of one worker with this life. */
unsigned cfi_cpu_share_of(const cfi_worker_config *config);

/* The share of the calling thread: the least one of the workers that it works for. Outside tasks:
 * all processors. */
unsigned cfi_cpu_share_of_caller(void);

/* Sets the number of threads of OpenMP regions. At the start of a life, on the worker's thread. */
void cfi_cpu_share_tell_openmp(const cfi_worker_config *config);

#endif
