/* An executor's life: creation, shutdown, destruction. */
#include "cfutures/executor.h"

#include "cfutures/core/deadline.h"
#include "cfutures/core/observer.h"
#include "cfutures/core/reference.h"
#include "cfutures/core/submission.h"
#include "cfutures/queue/wakeup.h"
#include "cfutures/waiting/callback.h"
#include "cfutures/waiting/nested.h"
#include "cfutures/waiting/steal.h"
#include "cfutures/worker/cpu_share.h"
#include "cfutures/worker/strand.h"

#include "platform/assert.h"
#include "platform/barrier.h"
#include "platform/cancellation.h"
#include "platform/fault.h"
#include "platform/refusal.h"
#include "platform/thread.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- creation -------------------------------------------------------------------------------- */

#define ARENA_LIMIT_MIN ((size_t)1 << 20)

/* Addresses, not memory. All executors of a process share what there is: x86-64 has 128 TiB. */
#define ARENAS_TOTAL        ((size_t)32 << 40)
#define ARENAS_LIKE_THIS    512u /* a new one gets this share of what is left: the first 64 GiB */
#define ARENA_DEFAULT_LEAST ((size_t)1 << 30)

static const cf_pool_options default_options;

static cf_status check_options(const cf_pool_options *options, const cfi_executor_ops *ops) {
    unsigned most = ops->start_worker == NULL ? 1 : CF_WORKERS_MAX;
    bool limit_suffices = options->arena_limit == 0 || options->arena_limit >= ARENA_LIMIT_MIN;
    bool can_observe = options->observer == NULL || options->observer->observe != NULL;
    return options->max_workers <= most && limit_suffices && can_observe ? CF_OK : CF_EINVAL;
}

static cfi_worker_config life_of(const cf_pool_options *options) {
    cfi_worker_config config = {
        .initializer = options->initializer,
        .finalizer = options->finalizer,
        .context = options->context,
        .max_tasks = options->max_tasks_per_worker,
        .keeps_signal_mask = options->keep_signal_mask,
        .ignores_sigterm = options->ignore_sigterm,
        .runs_exit_handlers = options->run_exit_handlers,
    };
    sigemptyset(&config.signal_mask);
    if (options->keep_signal_mask) {
        plat_signals_get(&config.signal_mask);
    }
    snprintf(config.name, sizeof config.name, "%s",
             options->name != NULL ? options->name : "cf-worker");
    return config;
}

/* Submit does not start all of them. */
static bool grows(const cf_executor *executor, const cf_pool_options *options) {
    return executor->ops->short_of_workers != NULL && options->min_workers > 0 &&
           (options->max_workers == 0 || options->min_workers < options->max_workers);
}

/* Of a pool that grows. Two on a machine with one processor: a half of a fork may sleep. */
static unsigned workers_for_forks(const cf_executor *executor) {
    const unsigned processors = executor->config.processors;
    unsigned count = processors > 2 ? processors : 2;
    count = count > executor->workers_at_once ? count : executor->workers_at_once;
    return count < executor->max_workers ? count : executor->max_workers;
}

/* Sets the number of workers, and of the processors that they share. */
static void choose_workers(cf_executor *executor, const cf_pool_options *options) {
    cfi_worker_config *config = &executor->config;
    bool alone = executor->ops->start_worker == NULL;
    config->set_openmp_threads = alone ? NULL : plat_openmp_find_set_threads();
    const bool may_grow = grows(executor, options);
    bool counts =
        !alone && (options->max_workers == 0 || config->set_openmp_threads != NULL || may_grow);
    if (counts || cfi_worker_innermost() != NULL) {
        config->processors = cfi_cpu_share_of_caller();
    }
    unsigned wanted = options->max_workers > 0 ? options->max_workers : config->processors;
    config->workers = alone ? 1 : wanted;
    executor->max_workers = config->workers;
    executor->workers_at_once = executor->workers_for_forks = executor->max_workers;
    if (may_grow && options->min_workers < executor->max_workers) {
        executor->workers_at_once = options->min_workers;
        executor->workers_for_forks = workers_for_forks(executor);
    }
    cfi_assert(executor->max_workers > 0 && executor->max_workers <= CF_WORKERS_MAX);
}

/* The more the process has reserved, the less: hundreds of executors get nearly the most each, and
 * there may be tens of thousands. */
static size_t default_arena_limit(void) {
    size_t used = plat_own_memory_total();
    size_t share = (used < ARENAS_TOTAL ? ARENAS_TOTAL - used : 0) / ARENAS_LIKE_THIS;
    return share > ARENA_DEFAULT_LEAST ? share : ARENA_DEFAULT_LEAST;
}

static bool commit_fixed(cf_executor *executor) {
    size_t records_end = CFI_RECORDS_AT + executor->max_workers * sizeof(cfi_record);
    cfi_assert(records_end > CFI_RECORDS_AT && records_end <= CFI_TASKS_AT);
    return cfi_arena_commit_fixed(&executor->arena, CFI_CONTROL_AT, records_end) &&
           cfi_arena_commit_fixed(&executor->arena, CFI_TASKS_AT,
                                  CFI_TASKS_MAX * sizeof(cf_task_fn *));
}

/* Before workers are forked, which share the rings. False: no memory. */
static bool set_up_events(cf_executor *executor, const cf_observer *observer) {
    cfi_queue *queue = &executor->queue;
    queue->events =
        observer != NULL ? cfi_events_create(observer, executor->max_workers, queue->shared) : NULL;
    return (observer == NULL) == (queue->events == NULL);
}

static cf_status set_up(cf_executor *executor, const cf_pool_options *options, bool shared) {
    plat_barrier_register();
    executor->fork_mark = plat_fork_mark();
    executor->max_pending = executor->ops->start_worker != NULL ? options->max_pending : 0;
    executor->refuse_when_full = options->refuse_when_full;
    executor->config = life_of(options);
    choose_workers(executor, options);
    cfi_bell *bell = cfi_bell_of_process();
    size_t limit = options->arena_limit > 0 ? options->arena_limit : default_arena_limit();
    if (executor->fork_mark == 0 || bell == NULL || !cfi_nested_prepare_for_fork() ||
        !cfi_arena_create(&executor->arena, CFI_FIXED_BYTES, limit, shared)) {
        return CF_ENOMEM;
    }
    if (!commit_fixed(executor)) {
        cfi_arena_destroy(&executor->arena);
        return CF_ENOMEM;
    }
    cfi_queue_init(&executor->queue, &executor->arena, bell, shared);
    executor->slabs = (cfi_slabs){
        .executor = executor,
        .arena = &executor->arena,
        .queue = &executor->queue,
        .grown = executor->ops->grown,
        .record_times = options->record_times || options->observer != NULL,
    };
    if (!cfi_slabs_init(&executor->slabs)) {
        cfi_arena_destroy(&executor->arena);
        return CF_ENOMEM;
    }
    if (!set_up_events(executor, options->observer)) {
        cfi_slabs_fini(&executor->slabs);
        cfi_arena_destroy(&executor->arena);
        return CF_ENOMEM;
    }
    /* Without memory nothing is stolen. */
    if (!shared && !executor->ops->is_remote && executor->ops->start_worker != NULL) {
        cfi_forks *forks =
            calloc(1, sizeof *forks + executor->max_workers * sizeof forks->strands[0]);
        if (forks != NULL) {
            forks->steal = cfi_steal;
            forks->opened = cfi_steal_may_begin;
        }
        executor->queue.forks = forks;
    }
    plat_biased_lock_init(&executor->lock);
    plat_biased_lock_init(&executor->drain_lock);
    plat_lock_init(&executor->limits.lock);
    plat_lock_init(&executor->join_lock);
    cfi_attendant_init(&executor->deadlines);
    cfi_attendant_init(&executor->callback_thread);
    cfi_attendant_init(&executor->observing);
    return CF_OK;
}

cf_status cfi_executor_create(size_t size, const cfi_executor_ops *ops,
                              const cf_pool_options *options, bool shared, cf_executor **executor) {
    if (executor == NULL) {
        return CF_EINVAL;
    }
    *executor = NULL;
    if (options == NULL) {
        options = &default_options;
    }
    if (!plat_fault_load()) {
        return CF_EINVAL;
    }
    cfi_assert(size >= sizeof(cf_executor));
    cfi_assert(ops->start_worker != NULL || ops->submitted != NULL); /* who runs the tasks */
    cfi_assert(!ops->is_remote || (ops->submitted != NULL && !shared));
    cf_status status = check_options(options, ops);
    if (status != CF_OK) {
        return status;
    }
    cf_executor *made = plat_noted(calloc(1, size));
    if (made == NULL) {
        return CF_ENOMEM;
    }
    made->ops = ops;
    int held = plat_cancellation_hold();
    status = set_up(made, options, shared);
    plat_cancellation_release(held);
    if (status != CF_OK) {
        free(made);
        return status;
    }
    *executor = made;
    return CF_OK;
}

void cfi_executor_free(cf_executor *executor) {
    cfi_assert(executor->slabs.in_use == 0 && executor->release_batch.slab == NULL);
    cfi_assert(plat_peek(&executor->callbacks.outstanding) == 0);
    cfi_strands_free(executor->queue.forks, executor->max_workers);
    cfi_task_table_free(&executor->tasks);
    cfi_slabs_fini(&executor->slabs);
    cfi_arena_destroy(&executor->arena);
    plat_biased_lock_destroy(&executor->lock);
    plat_biased_lock_destroy(&executor->drain_lock);
    plat_lock_destroy(&executor->join_lock);
    cfi_attendant_destroy(&executor->deadlines);
    cfi_attendant_destroy(&executor->callback_thread);
    cfi_attendant_destroy(&executor->observing);
    cfi_events_destroy(executor->queue.events);
    free(executor->limits.of);
    plat_lock_destroy(&executor->limits.lock);
    free(executor);
}

const char *cf_executor_kind(const cf_executor *executor) {
    return executor->ops->kind;
}

unsigned cf_executor_max_workers(const cf_executor *executor) {
    return executor->max_workers;
}

/* ---- shutdown -------------------------------------------------------------------------------- */

static void cancel_task(cf_future *future, void *context) {
    cfi_executor_cancel(context, future);
}

static void cancel_pending_tasks(cf_executor *executor) {
    cfi_assert(plat_biased_lock_is_held(&executor->lock));
    cfi_assert(executor->refuses != CF_OK); /* no task comes after the last look */
    executor->cancels = true;
    cfi_slabs_visit_unsettled(&executor->slabs, cancel_task, executor);
}

/* Submitters that wait for room are woken and refused. */
static void close_submission(cf_executor *executor, bool cancel_pending) {
    cfi_assert(!plat_biased_lock_is_held(&executor->lock));
    cfi_assert(!plat_biased_lock_is_held(&executor->drain_lock));
    plat_fault_point(SHUTDOWN_BEGINS);
    plat_biased_lock_take(&executor->lock);
    if (executor->refuses == CF_OK) {
        executor->refuses = CF_ESHUTDOWN;
    }
    if (cancel_pending) {
        cancel_pending_tasks(executor);
    }
    bool first = !plat_load_relaxed(&executor->stopping);
    plat_store_release(&executor->stopping, true);
    plat_store_release(&executor->queue.control->stop, 1);
    plat_biased_lock_give(&executor->lock);
    plat_event_ring_always(&executor->queue.control->room, executor->queue.shared);
    plat_fault_point(SHUTDOWN_STOPPED);
    if (first) {
        cfi_queue_wake_all(&executor->queue);
        if (executor->ops->stop != NULL) {
            executor->ops->stop(executor);
        }
    }
    plat_fault_point(SHUTDOWN_TOLD);
}

static void join(cf_executor *executor) {
    cfi_assert(plat_peek(&executor->stopping));
    plat_lock_take(&executor->join_lock);
    if (!executor->joined) {
        if (executor->ops->join != NULL) {
            executor->ops->join(executor);
        }
        plat_fault_point(SHUTDOWN_JOINED);
        cfi_deadlines_stop(executor);
        cfi_callbacks_finish(executor);
        cfi_observer_stop(executor);
    }
    executor->joined = true;
    plat_lock_give(&executor->join_lock);
}

/* The executor's own tasks and callbacks cannot wait for themselves. */
static bool may_wait(const cf_executor *executor) {
    return !cfi_worker_is_of(&executor->queue) && !cfi_callback_is_of(executor);
}

cf_status cf_executor_shutdown(cf_executor *executor, bool wait, bool cancel_pending) {
    if (executor == NULL) {
        return CF_EINVAL;
    }
    if (cfi_executor_is_foreign(executor)) {
        return CF_EFORKED;
    }
    close_submission(executor, cancel_pending);
    if (wait && may_wait(executor)) {
        join(executor);
    }
    return CF_OK;
}

void cf_executor_destroy(cf_executor *executor) {
    if (executor == NULL || cf_executor_shutdown(executor, true, false) != CF_OK ||
        !may_wait(executor)) {
        return;
    }
    cfi_watch_drain(executor); /* releases the completion stack's references */
    plat_biased_lock_take(&executor->lock);
    cfi_slabs_reclaim(&executor->slabs, executor->slabs.deferred_count); /* all are settled */
    cfi_release_batch_end(executor);
    if (cfi_slabs_close(&executor->slabs)) {
        cfi_slabs_retire(&executor->slabs, executor->slabs.open);
    }
    cfi_assert(executor->joined);
    executor->destroyed = true;
    bool over = cfi_executor_is_over(executor);
    plat_biased_lock_give(&executor->lock);
    if (over) {
        executor->ops->free(executor);
    }
}

static void send_to_all(cf_executor *executor, int signal) {
    plat_biased_lock_take(&executor->lock);
    cfi_assert(executor->refuses != CF_OK && executor->cancels); /* no successor is needed */
    for (unsigned i = 0; i < plat_load_relaxed(&executor->started); i++) {
        executor->ops->kill(executor, i, signal);
    }
    plat_biased_lock_give(&executor->lock);
}

cf_status cf_executor_terminate_workers(cf_executor *executor) {
    cf_status status = cf_executor_shutdown(executor, false, true);
    if (status != CF_OK) {
        return status;
    }
    plat_store_release(&executor->queue.control->terminating, 1);
    if (executor->ops->kill != NULL) {
        send_to_all(executor, SIGTERM);
    }
    return CF_OK;
}

cf_status cf_executor_kill_workers(cf_executor *executor) {
    if (executor != NULL && executor->ops->kill == NULL) {
        return cfi_executor_is_foreign(executor) ? CF_EFORKED : CF_EUNSUPPORTED;
    }
    cf_status status = cf_executor_shutdown(executor, false, true);
    if (status == CF_OK) {
        send_to_all(executor, SIGKILL);
    }
    return status;
}
