/* Workers are threads of the caller's process.
 *
 *      submit ──▶ slots ──▶ worker 0..n-1 (cfi_worker_run) ──▶ the same slots ──▶ result
 *
 * This file makes the threads and joins them. All else is in the core, in thread_worker.c, and in
 * thread_growth.c: when threads beyond the number of processors start.
 *
 * A task may end its thread by pthread_exit. The task is settled on the way (worker/worker.h). Then
 * the thread starts a successor, which goes on with the worker's number, and joins the thread that
 * it succeeds. The last one says that the worker is over, and is joined by the executor. */
#include "executors/thread_growth.h"
#include "executors/thread_worker.h"

#include "platform/assert.h"
#include "platform/clock.h"
#include "platform/futex.h"
#include "platform/on_leaving.h"
#include "platform/refusal.h"
#include "platform/thread.h"

#include <limits.h>
#include <sched.h>
#include <stdlib.h>

#define WITHOUT_THREAD_NS INT64_C(2000000000) /* without a successor: then the pool breaks */

typedef struct thread_worker {
    struct thread_pool *pool;
    unsigned number;
    bool succeeds;         /* thread is the one that its task has ended */
    pthread_t thread;      /* set by itself */
    _Atomic uint32_t over; /* futex; 1: thread is the last one, and starts no other */
} thread_worker;

typedef struct thread_pool {
    cf_executor base;
    thread_worker *workers; /* max_workers entries; threads start under the executor's lock */
    thread_growth growth;   /* if submit does not start all of them */
    size_t stack_size;      /* of each; 0 = the default */
} thread_pool;

/* ---- a worker's thread ----------------------------------------------------------------------- */

static void *worker_main(void *context);

static int start_thread(thread_worker *worker, pthread_t *thread) {
    return plat_thread_start_with_stack(thread, worker->pool->stack_size, worker_main, worker);
}

/* False: for some time the system has refused a thread. */
static bool start_successor(thread_worker *worker) {
    pthread_t thread;
    const int64_t until_ns = plat_now_ns() + WITHOUT_THREAD_NS;
    worker->succeeds = true;
    while (start_thread(worker, &thread) != 0) {
        if (plat_now_ns() > until_ns) {
            return false;
        }
        sched_yield();
    }
    return true;
}

static void end(thread_worker *worker) {
    thread_growth_tell(&worker->pool->growth);
    plat_store_release(&worker->over, 1);
    plat_futex_wake_all(&worker->over, false);
}

/* On the thread that the task has ended. */
static void succeed(thread_worker *worker) {
    cf_executor *executor = &worker->pool->base;
    cfi_executor_worker_died(executor, worker->number, 0);
    plat_bump_owned(&executor->queue.records[worker->number].restarts, 1);
    if (!start_successor(worker)) {
        cfi_executor_all_fruitless(executor, 0);
        end(worker);
    }
}

typedef struct thread_life {
    thread_worker *worker;
    bool returned;
} thread_life;

static void after_life(thread_life *life) {
    if (life->returned) {
        end(life->worker);
    } else {
        succeed(life->worker);
    }
}

static void *worker_main(void *context) {
    thread_life life PLAT_ON_LEAVING(after_life) = {.worker = context};
    thread_worker *worker = context;
    if (worker->succeeds) {
        plat_thread_join(worker->thread);
    }
    worker->thread = pthread_self();
    cfi_thread_worker_run(&worker->pool->base, worker->number);
    life.returned = true;
    return NULL;
}

/* ---- the executor ---------------------------------------------------------------------------- */

static cf_status thread_pool_start_worker(cf_executor *executor, unsigned number) {
    thread_pool *self = (thread_pool *)executor;
    thread_worker *worker = &self->workers[number];
    cfi_assert(plat_biased_lock_is_held(&executor->lock));
    cfi_assert(number == plat_peek(&executor->started) && number < executor->max_workers);
    pthread_t thread;
    *worker = (thread_worker){.pool = self, .number = number};
    int error = start_thread(worker, &thread);
    if (error != 0) {
        plat_refusal_note("pthread_create", error);
        return CF_EAGAIN;
    }
    return CF_OK;
}

static void thread_pool_short_of_workers(cf_executor *executor) {
    thread_growth_wake(&((thread_pool *)executor)->growth);
}

static void thread_pool_stop(cf_executor *executor) {
    thread_growth_tell(&((thread_pool *)executor)->growth);
}

static void thread_pool_join(cf_executor *executor) {
    thread_pool *self = (thread_pool *)executor;
    thread_growth_join(&self->growth);
    for (unsigned i = 0; i < plat_load_relaxed(&executor->started); i++) { /* fixed by now */
        thread_worker *worker = &self->workers[i];
        while (plat_load_acquire(&worker->over) == 0) {
            plat_futex_wait(&worker->over, 0, -1, false);
        }
        plat_thread_join(worker->thread);
    }
}

static void thread_pool_free(cf_executor *executor) {
    thread_growth_destroy(&((thread_pool *)executor)->growth);
    free(((thread_pool *)executor)->workers);
    cfi_executor_free(executor);
}

static const cfi_executor_ops thread_pool_ops = {
    .kind = "thread_pool",
    .start_worker = thread_pool_start_worker,
    .short_of_workers = thread_pool_short_of_workers,
    .stop = thread_pool_stop,
    .join = thread_pool_join,
    .free = thread_pool_free,
};

/* In whole pages: some C libraries refuse others. */
static size_t stack_size_of(const cf_pool_options *options) {
    enum {
        PAGE = 4096
    };
    const size_t least = (size_t)PTHREAD_STACK_MIN;
    const size_t size = options->stack_size < least ? least : options->stack_size;
    return options->stack_size == 0 ? 0 : (size - 1) / PAGE * PAGE + PAGE;
}

cf_status cf_thread_pool_create(const cf_pool_options *options, cf_executor **executor) {
    cf_status status =
        cfi_executor_create(sizeof(thread_pool), &thread_pool_ops, options, false, executor);
    if (status != CF_OK) {
        return status;
    }
    thread_pool *self = (thread_pool *)*executor;
    self->stack_size = options != NULL ? stack_size_of(options) : 0;
    self->workers = plat_noted(calloc(self->base.max_workers, sizeof(thread_worker)));
    if (self->workers == NULL || !thread_growth_init(&self->growth, &self->base)) {
        thread_pool_free(*executor);
        *executor = NULL;
        return CF_ENOMEM;
    }
    return CF_OK;
}
