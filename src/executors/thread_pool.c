/* Workers are threads of the caller's process.
 *
 *      submit ──▶ slots ──▶ worker 0..n-1 (cfi_worker_run) ──▶ the same slots ──▶ result
 *
 * This file makes the threads and joins them. All else is in the core and in thread_worker.c. */
#include "executors/thread_worker.h"

#include "platform/assert.h"
#include "platform/thread.h"

#include <stdlib.h>

typedef struct thread_worker {
    struct thread_pool *pool;
    unsigned number;
    pthread_t thread;
} thread_worker;

typedef struct thread_pool {
    cf_executor base;
    thread_worker *workers; /* max_workers entries; threads start under the executor's lock */
} thread_pool;

static void *worker_main(void *context) {
    const thread_worker *worker = context;
    cfi_thread_worker_run(&worker->pool->base, worker->number);
    return NULL;
}

static cf_status thread_pool_start_worker(cf_executor *executor, unsigned number) {
    thread_pool *self = (thread_pool *)executor;
    thread_worker *worker = &self->workers[number];
    cfi_assert(plat_biased_lock_is_held(&executor->lock));
    cfi_assert(number == plat_peek(&executor->started) && number < executor->max_workers);
    *worker = (thread_worker){.pool = self, .number = number};
    return plat_thread_start(&worker->thread, worker_main, worker) ? CF_OK : CF_EAGAIN;
}

static void thread_pool_join(cf_executor *executor) {
    thread_pool *self = (thread_pool *)executor;
    for (unsigned i = 0; i < plat_load_relaxed(&executor->started); i++) { /* fixed after stop */
        pthread_join(self->workers[i].thread, NULL);
    }
}

static void thread_pool_free(cf_executor *executor) {
    free(((thread_pool *)executor)->workers);
    cfi_executor_free(executor);
}

static const cfi_executor_ops thread_pool_ops = {
    .kind = "thread_pool",
    .start_worker = thread_pool_start_worker,
    .join = thread_pool_join,
    .free = thread_pool_free,
};

cf_status cf_thread_pool_create(const cf_pool_options *options, cf_executor **executor) {
    cf_status status =
        cfi_executor_create(sizeof(thread_pool), &thread_pool_ops, options, false, executor);
    if (status != CF_OK) {
        return status;
    }
    thread_pool *self = (thread_pool *)*executor;
    self->workers = calloc(self->base.max_workers, sizeof(thread_worker));
    if (self->workers == NULL) {
        thread_pool_free(*executor);
        *executor = NULL;
        return CF_ENOMEM;
    }
    return CF_OK;
}
