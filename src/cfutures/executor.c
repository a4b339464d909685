#include "cfutures/executor.h"

#include "cfutures/completion.h"
#include "cfutures/times.h"
#include "cfutures/watch.h"
#include "cfutures/worker.h"

#include "platform/barrier.h"
#include "platform/clock.h"
#include "platform/fork_mark.h"
#include "platform/futex.h"

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

/* ---- references ------------------------------------------------------------------------------ */

void cfi_slot_retain(cfi_slot *slot) {
    cfi_add_relaxed(&slot->refs, 1);
}

static bool is_over(const cf_executor *executor) {
    return executor->destroyed && executor->slabs.in_use == 0;
}

static void retire(cf_executor *executor, cfi_slab *slab) {
    cfi_lock_take(&executor->lock);
    cfi_slabs_retire(&executor->slabs, slab);
    bool over = is_over(executor);
    cfi_lock_give(&executor->lock);
    if (over) {
        executor->ops->free(executor);
    }
}

void cfi_slot_release(cfi_slot *slot) {
    if (cfi_sub_acq_rel(&slot->refs, 1) > 1) {
        return;
    }
    cf_executor *executor = cfi_executor_of(slot);
    if (cfi_slot_has_block(slot) && cfi_word_settled(cfi_load_acquire(&slot->word))) {
        cfi_lock_take(&executor->lock);
        cfi_slabs_give_block(&executor->slabs, slot);
        cfi_lock_give(&executor->lock);
    }
    if (cfi_slab_give_up(slot)) {
        retire(executor, cfi_slab_of(slot));
    }
}

/* ---- cancelling ------------------------------------------------------------------------------ */

static void cancel_slot(cf_executor *executor, cfi_slot *slot) {
    uint64_t word;
    if (cfi_slot_withdraw(slot, CFI_CANCELLED, &word)) {
        cfi_add_relaxed(&executor->cancelled, 1);
        cfi_completion_announce(&executor->queue, slot, word);
    }
}

static void cancel_pending_tasks(cf_executor *executor) {
    executor->cancels = true;
    uint64_t tail = cfi_load_relaxed(&executor->queue.control->tail);
    for (uint64_t ticket = cfi_queue_cursor(&executor->queue); ticket < tail; ticket++) {
        cancel_slot(executor, cfi_queue_at(&executor->queue, ticket));
    }
}

/* ---- dead workers ---------------------------------------------------------------------------- */

/* The caller stands in for the worker. Does nothing when the task is no longer that worker's. */
static void settle_as_lost(cf_executor *executor, cfi_slot *slot, unsigned worker,
                           cf_status outcome, int wait_status) {
    uint64_t word;
    slot->outcome = (uint8_t)outcome;
    slot->detail = wait_status;
    cfi_times_stamp_finish(&executor->queue, slot);
    cfi_add_relaxed(&executor->lost, 1); /* before: who has the result finds it in the stats */
    if (cfi_slot_leave(slot, worker, CFI_FINISHED, &word)) {
        cfi_completion_announce(&executor->queue, slot, word);
    } else {
        cfi_sub_relaxed(&executor->lost, 1);
    }
}

/* Not when all pending tasks were cancelled, and not (after some 10^9 other tasks) when the
 * directory has come round to the task's own place and would not lead to it any more. */
static bool may_run_again(const cf_executor *executor, const cfi_slot *slot, uint64_t word) {
    const uint64_t most = (uint64_t)(CFI_SLABS_QUEUED_MAX - 1) * CFI_SLAB_SLOTS;
    uint64_t tail = cfi_load_relaxed(&executor->queue.control->tail);
    return cfi_word_attempts(word) < cfi_word_allowed(word) && !executor->cancels &&
           tail - cfi_slab_ticket_of(slot) < most;
}

static void run_again(cf_executor *executor, cfi_slot *slot, unsigned worker) {
    uint64_t word;
    if (cfi_slot_leave(slot, worker, CFI_PENDING, &word)) {
        cfi_add_relaxed(&executor->retries, 1);
    }
}

/* The slot that the worker was about to begin, was running, or had just settled. */
static void judge(cf_executor *executor, cfi_slot *slot, unsigned worker, int wait_status) {
    cfi_record *record = &executor->queue.records[worker];
    uint64_t word = cfi_load_acquire(&slot->word);
    if (cfi_word_is_run_by(word, worker)) {
        cfi_store_relaxed(&record->tasks, cfi_load_relaxed(&record->tasks_settled));
        cfi_store_relaxed(&record->task_errors, cfi_load_relaxed(&record->task_errors_settled));
        if (executor->refuses == CF_EBROKEN) {
            settle_as_lost(executor, slot, worker, CF_EBROKEN, 0);
        } else if (may_run_again(executor, slot, word)) {
            run_again(executor, slot, worker);
        } else {
            settle_as_lost(executor, slot, worker, CF_EWORKER, wait_status);
        }
    } else if (cfi_word_phase(word) == CFI_PENDING && executor->cancels) {
        cancel_slot(executor, slot);
    }
    if (cfi_word_phase(cfi_load_acquire(&slot->word)) == CFI_PENDING) {
        cfi_queue_rewind(&executor->queue, cfi_slab_ticket_of(slot));
    }
}

void cfi_executor_worker_died(cf_executor *executor, unsigned worker, int wait_status) {
    cfi_queue *queue = &executor->queue;
    cfi_record *record = &queue->records[worker];
    uint32_t current = cfi_load_acquire(&record->current);
    cfi_store_relaxed(&record->running, 0);
    if (current != 0) {
        cfi_slot *slot = cfi_queue_slot(queue, current - 1);
        cfi_lock_take(
            &executor->lock); /* shutdown's cancelling sees it before or after, not between */
        judge(executor, slot, worker, wait_status);
        cfi_lock_give(&executor->lock);
        cfi_futex_wake_all(&slot->futex, queue->shared); /* it may have died before it woke them */
        cfi_watch_reap_orphan(executor, slot, worker);
    }
    cfi_bell_ring_always(queue->bell); /* it may have died with a ring, */
    cfi_queue_wake_all(queue);         /* or with a wake-up in its hands */

    int64_t awake_since_ns = cfi_load_relaxed(&record->awake_since_ns);
    if (awake_since_ns != 0) {
        cfi_bump_owned(&record->busy_ns, cfi_now_ns() - awake_since_ns);
    }
    cfi_store_relaxed(&record->awake_since_ns, 0);
    cfi_store_relaxed(&record->tasks_settled, cfi_load_relaxed(&record->tasks));
    cfi_store_relaxed(&record->task_errors_settled, cfi_load_relaxed(&record->task_errors));
    cfi_store_relaxed(&record->current, 0);
}

static void settle_as_broken(cfi_slot *slot, void *context) {
    cf_executor *executor = context;
    uint64_t word;
    slot->outcome = CF_EBROKEN; /* before the CAS that publishes it; nobody else settles any more */
    if (cfi_slot_withdraw(slot, CFI_FINISHED, &word)) {
        cfi_add_relaxed(&executor->lost, 1);
        cfi_completion_announce(&executor->queue, slot, word);
    }
}

void cfi_executor_break(cf_executor *executor) {
    cfi_lock_take(&executor->lock);
    executor->refuses = CF_EBROKEN;
    unsigned started = executor->started;
    cfi_lock_give(&executor->lock);
    for (unsigned i = 0; i < started; i++) {
        cfi_executor_worker_died(executor, i, 0);
    }
    cfi_lock_take(&executor->lock);
    cfi_slabs_visit_pending(&executor->slabs, settle_as_broken, executor);
    cfi_lock_give(&executor->lock);
}

/* ---- shutdown -------------------------------------------------------------------------------- */

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
    bool over = is_over(executor);
    cfi_lock_give(&executor->lock);
    if (over) {
        executor->ops->free(executor);
    }
}

/* ---- stats ----------------------------------------------------------------------------------- */

cf_status cf_executor_stats(cf_executor *executor, cf_stats *stats) {
    if (executor == NULL || stats == NULL) {
        return CF_EINVAL;
    }
    if (is_foreign(executor)) {
        return CF_EFORKED;
    }
    cfi_lock_take(&executor->lock);
    *stats = (cf_stats){
        .max_workers = executor->max_workers,
        .workers = executor->ops->start_worker == NULL ? 1 : executor->started,
        .submitted = executor->submitted,
        .cancelled = cfi_load_relaxed(&executor->cancelled),
        .finished = cfi_load_relaxed(&executor->lost),
        .failed = cfi_load_relaxed(&executor->lost),
        .retries = cfi_load_relaxed(&executor->retries),
    };
    for (unsigned i = 0; i < stats->workers; i++) {
        const cfi_record *record = &executor->queue.records[i];
        stats->finished += cfi_load_relaxed(&record->tasks);
        stats->failed += cfi_load_relaxed(&record->task_errors);
        stats->running += cfi_load_relaxed(&record->running);
        stats->restarts += cfi_load_relaxed(&record->restarts);
    }
    cfi_lock_give(&executor->lock);
    uint64_t begun = stats->finished + stats->cancelled + stats->running;
    stats->pending = stats->submitted > begun ? stats->submitted - begun : 0;
    return CF_OK;
}

cf_status cf_executor_worker_stats(cf_executor *executor, unsigned worker, cf_worker_stats *stats) {
    cf_stats all;
    cf_status status = stats != NULL ? cf_executor_stats(executor, &all) : CF_EINVAL;
    if (status != CF_OK) {
        return status;
    }
    if (worker >= all.workers) {
        return CF_EINVAL;
    }
    const cfi_record *record = &executor->queue.records[worker];
    int64_t awake_since_ns = cfi_load_relaxed(&record->awake_since_ns);
    *stats = (cf_worker_stats){
        .id = cfi_load_relaxed(&record->id),
        .tasks = cfi_load_relaxed(&record->tasks),
        .busy_ns = cfi_load_relaxed(&record->busy_ns) +
                   (awake_since_ns != 0 ? cfi_now_ns() - awake_since_ns : 0),
        .restarts = cfi_load_relaxed(&record->restarts),
    };
    return CF_OK;
}
