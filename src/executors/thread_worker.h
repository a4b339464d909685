/* The work of a worker that is a thread of the caller's process. */
#ifndef EXECUTORS_THREAD_WORKER_H
#define EXECUTORS_THREAD_WORKER_H

#include "cfutures/executor.h"

/* Called on the worker's thread, with signals blocked. Names the thread and runs the lives of
 * worker `number`: when one has run max_tasks tasks, the next begins. Returns when the executor is
 * stopped and no work is left, or after it has reported a failed initializer (cfi_executor_init_failed).
 */
void cfi_thread_worker_run(cf_executor *executor, unsigned number);

#endif
