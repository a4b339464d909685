#include "cfutures/executor.h"

#include "cfutures/completion.h"
#include "cfutures/times.h"
#include "cfutures/watch.h"
#include "cfutures/worker.h"

#include "platform/barrier.h"
#include "platform/fork_mark.h"

#include <stdlib.h>
#include <string.h>

/* ---- creation -------------------------------------------------------------------------------- */

#define ARENA_LIMIT_DEFAULT ((size_t)64 << 30) /* addresses, not memory */
#define ARENA_LIMIT_LEAST   ((size_t)1 << 20)

static const cf_pool_options default_options;

static cf_status check_options(const cf_pool_options *options, const cfi_executor_ops *ops) {
    unsigned most = ops->start_worker == NULL ? 1 : CF_WORKERS_MAX;
    bool limit_suffices = options->arena_limit == 0 || options->arena_limit >= ARENA_LIMIT_LEAST;
    return options->max_workers <= most && limit_suffices ? CF_OK : CF_EINVAL;
}

static unsigned choose_workers(const cf_pool_options *options, const cfi_executor_ops *ops) {
    if (ops->start_worker == NULL) {
        return 1;
    }
    return options->max_workers > 0 ? options->max_workers : cf_cpu_count(NULL);
}

static bool commit_fixed(cf_executor *executor) {
    size_t records_end = CFI_RECORDS_AT + executor->max_workers * sizeof(cfi_record);
    return cfi_arena_commit_fixed(&executor->arena, CFI_CONTROL_AT, records_end) &&
           cfi_arena_commit_fixed(&executor->arena, CFI_TASKS_AT,
                                  CFI_TASKS_MAX * sizeof(cf_task_fn *));
}

static cf_status set_up(cf_executor *executor, const cf_pool_options *options, bool shared) {
    cfi_barrier_register();
    executor->fork_mark = cfi_fork_mark();
    executor->max_workers = choose_workers(options, executor->ops);
    cfi_bell *bell = cfi_bell_of_process();
    size_t limit = options->arena_limit > 0 ? options->arena_limit : ARENA_LIMIT_DEFAULT;
    if (executor->fork_mark == 0 || bell == NULL ||
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
        .record_times = options->record_times,
    };
    cfi_lock_init(&executor->lock);
    cfi_lock_init(&executor->reap_lock);
    cfi_lock_init(&executor->join_lock);
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
    cf_status status = check_options(options, ops);
    if (status != CF_OK) {
        return status;
    }
    cf_executor *made = calloc(1, size);
    if (made == NULL) {
        return CF_ENOMEM;
    }
    made->ops = ops;
    status = set_up(made, options, shared);
    if (status != CF_OK) {
        free(made);
        return status;
    }
    *executor = made;
    return CF_OK;
}

void cfi_executor_free(cf_executor *executor) {
    cfi_task_table_free(&executor->tasks);
    cfi_arena_destroy(&executor->arena);
    cfi_lock_destroy(&executor->lock);
    cfi_lock_destroy(&executor->reap_lock);
    cfi_lock_destroy(&executor->join_lock);
    free(executor);
}

const char *cf_executor_kind(const cf_executor *executor) {
    return executor->ops->kind;
}

unsigned cf_executor_max_workers(const cf_executor *executor) {
    return executor->max_workers;
}

static bool is_foreign(const cf_executor *executor) {
    return !cfi_fork_mark_is_ours(executor->fork_mark);
}

/* ---- submission ------------------------------------------------------------------------------ */

static cf_status check_submission(const cf_executor *executor, const cf_task *task, const void *arg,
                                  const cf_submit_options *options) {
    if (executor == NULL || task == NULL || task->run == NULL ||
        (arg == NULL && task->arg_size > 0) || task->arg_size > CF_PAYLOAD_MAX ||
        task->result_size > CF_PAYLOAD_MAX ||
        (options != NULL && options->retries > CF_RETRIES_MAX)) {
        return CF_EINVAL;
    }
    return is_foreign(executor) ? CF_EFORKED : CF_OK;
}

/* One more worker for each task until there are enough. Without the latest the others still do. */
static cf_status start_worker(cf_executor *executor) {
    if (executor->started == executor->max_workers || executor->ops->start_worker == NULL) {
        return CF_OK;
    }
    cf_status status = executor->ops->start_worker(executor, executor->started);
    if (status == CF_OK) {
        executor->started++;
    }
    return executor->started > 0 ? CF_OK : status;
}

/* The worker clears the result before it runs the task. A map reads how far a chunk came from the
 * result's first word, also when the worker died before it got there. */
static void forget_old_result(cf_executor *executor, cfi_slot *slot) {
    size_t size = slot->result_size < 8 ? slot->result_size : 8;
    memset(cfi_slot_result(slot, executor->queue.base), 0, size);
}

/* Under the lock. On success the slot is published. */
static cf_status enqueue(cf_executor *executor, const cf_task *task, const void *arg,
                         unsigned retries, bool wanted, cfi_slot **slot) {
    uint16_t index;
    cf_status status = executor->refuses;
    if (status == CF_OK) {
        status = start_worker(executor);
    }
    if (status != CF_OK) {
        return status;
    }
    if (!cfi_task_table_find(&executor->tasks, &executor->queue, task, &index)) {
        return CF_ENOMEM;
    }
    cfi_slot *taken = cfi_slabs_take(&executor->slabs, task->arg_size, task->result_size);
    if (taken == NULL) {
        return CF_ENOMEM;
    }
    taken->task = index;
    cfi_store_relaxed(&taken->announcement, CFI_NOT_ASKED);
    taken->watch = NULL;
    cfi_store_relaxed(&taken->refs, wanted ? 1 : 0);
    if (task->arg_size > 0) {
        memcpy(cfi_slot_payload(taken, executor->queue.base), arg, task->arg_size);
    }
    forget_old_result(executor, taken);
    cfi_times_stamp_submit(&executor->queue, taken);
    executor->submitted++;
    cfi_slot_open(taken, retries);
    cfi_queue_publish(&executor->queue);
    if (!wanted && cfi_slab_give_up(taken)) {
        cfi_slabs_retire(&executor->slabs, cfi_slab_of(taken));
    }
    *slot = taken;
    return CF_OK;
}

cf_status cfi_executor_submit(cf_executor *executor, const cf_task *task, const void *arg,
                              unsigned retries, cf_future **future) {
    cfi_slot *slot;
    cfi_lock_take(&executor->lock);
    cf_status status = enqueue(executor, task, arg, retries, future != NULL, &slot);
    cfi_lock_give(&executor->lock);
    if (status != CF_OK) {
        return status;
    }
    if (future != NULL) {
        *future = slot;
    }
    if (executor->ops->submitted != NULL) {
        executor->ops->submitted(executor, slot);
    } else {
        cfi_queue_wake_one(&executor->queue);
    }
    return CF_OK;
}

cf_status cf_executor_submit_with(cf_executor *executor, const cf_task *task, const void *arg,
                                  const cf_submit_options *options, cf_future **future) {
    if (future != NULL) {
        *future = NULL;
    }
    cf_status status = check_submission(executor, task, arg, options);
    if (status != CF_OK) {
        return status;
    }
    return cfi_executor_submit(executor, task, arg, options != NULL ? options->retries : 0, future);
}

cf_status cf_executor_submit(cf_executor *executor, const cf_task *task, const void *arg,
                             cf_future **future) {
    return cf_executor_submit_with(executor, task, arg, NULL, future);
}

const cfi_task_entry *cfi_executor_task_of(cf_executor *executor, const cfi_slot *slot) {
    cfi_lock_take(&executor->lock);
    const cfi_task_entry *entry = executor->tasks.entries[slot->task];
    cfi_lock_give(&executor->lock);
    return entry;
}

/* ---- shutdown -------------------------------------------------------------------------------- */

bool cfi_executor_cancel(cf_executor *executor, cfi_slot *slot) {
    uint64_t word;
    if (cfi_slot_withdraw(slot, CFI_CANCELLED, &word)) {
        cfi_add_relaxed(&executor->cancelled, 1);
        cfi_completion_announce(&executor->queue, slot, word);
        return true;
    }
    return cfi_word_phase(word) == CFI_CANCELLED;
}

static void cancel_pending_tasks(cf_executor *executor) {
    executor->cancels = true;
    uint64_t tail = cfi_load_relaxed(&executor->queue.control->tail);
    for (uint64_t ticket = cfi_queue_cursor(&executor->queue); ticket < tail; ticket++) {
        cfi_executor_cancel(executor, cfi_queue_at(&executor->queue, ticket));
    }
}

static void close_submission(cf_executor *executor, bool cancel_pending) {
    cfi_lock_take(&executor->lock);
    if (executor->refuses == CF_OK) {
        executor->refuses = CF_ESHUTDOWN;
    }
    if (cancel_pending) {
        cancel_pending_tasks(executor);
    }
    bool first = cfi_load_relaxed(&executor->queue.control->stop) == 0;
    cfi_store_release(&executor->queue.control->stop, 1);
    cfi_lock_give(&executor->lock);
    if (first) {
        cfi_queue_wake_all(&executor->queue);
        if (executor->ops->stop != NULL) {
            executor->ops->stop(executor);
        }
    }
}

static void join(cf_executor *executor) {
    cfi_lock_take(&executor->join_lock);
    if (!executor->joined && executor->ops->join != NULL) {
        executor->ops->join(executor);
    }
    executor->joined = true;
    cfi_lock_give(&executor->join_lock);
}

cf_status cf_executor_shutdown(cf_executor *executor, bool wait, bool cancel_pending) {
    if (executor == NULL) {
        return CF_EINVAL;
    }
    if (is_foreign(executor)) {
        return CF_EFORKED;
    }
    close_submission(executor, cancel_pending);
    if (wait && !cfi_worker_is_of(&executor->queue)) {
        join(executor);
    }
    return CF_OK;
}

void cf_executor_destroy(cf_executor *executor) {
    if (executor == NULL || cf_executor_shutdown(executor, true, false) != CF_OK ||
        cfi_worker_is_of(&executor->queue)) {
        return;
    }
    cfi_watch_reap(executor); /* the stack's references */
    cfi_lock_take(&executor->lock);
    if (cfi_slabs_close(&executor->slabs)) {
        cfi_slabs_retire(&executor->slabs, executor->slabs.open);
    }
    executor->destroyed = true;
    bool over = cfi_executor_is_over(executor);
    cfi_lock_give(&executor->lock);
    if (over) {
        executor->ops->free(executor);
    }
}
