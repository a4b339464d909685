/* What a worker does that is a thread of the caller's process, however the thread came to be. */
#ifndef EXECUTORS_THREAD_WORKER_H
#define EXECUTORS_THREAD_WORKER_H

#include "cfutures/executor.h"

/* On that thread, with signals blocked. Names it, and runs life after life of worker `number`:
 * one that has run as many tasks as it may is followed by another. Returns when the executor is
 * stopped and no work is left, or an initializer has failed: then the executor knows. */
void cfi_thread_worker_run(cf_executor *executor, unsigned number);

#endif
