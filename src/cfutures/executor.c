#include "cfutures/core/executor.h"

#include "cfutures/waiting/callback.h"
#include "cfutures/queue/completion.h"
#include "cfutures/core/deadline.h"
#include "cfutures/waiting/nested.h"
#include "cfutures/worker/share.h"
#include "cfutures/queue/times.h"
#include "cfutures/queue/tuning.h"
#include "cfutures/waiting/watch.h"

#include "platform/barrier.h"
#include "platform/copy.h"
#include "platform/fork_mark.h"

#include <signal.h>
#include <stdio.h>
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

static cfi_worker_life life_of(const cf_pool_options *options) {
    cfi_worker_life life = {
        .initializer = options->initializer,
        .finalizer = options->finalizer,
        .context = options->context,
        .max_tasks = options->max_tasks_per_worker,
    };
    snprintf(life.name, sizeof life.name, "%s",
             options->name != NULL ? options->name : "cf-worker");
    return life;
}

/* How many workers, and what they share. */
static void choose_workers(cf_executor *executor, const cf_pool_options *options) {
    cfi_worker_life *life = &executor->life;
    bool alone = executor->ops->start_worker == NULL;
    life->set_openmp_threads = alone ? NULL : cfi_openmp_find_set_threads();
    bool counts = !alone && (options->max_workers == 0 || life->set_openmp_threads != NULL);
    if (counts || cfi_worker_innermost() != NULL) {
        life->processors = cfi_share_of_caller();
    }
    unsigned wanted = options->max_workers > 0 ? options->max_workers : life->processors;
    life->workers = alone ? 1 : wanted;
    executor->max_workers = life->workers;
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
    executor->max_pending = executor->ops->start_worker != NULL ? options->max_pending : 0;
    executor->refuse_when_full = options->refuse_when_full;
    executor->life = life_of(options);
    choose_workers(executor, options);
    cfi_bell *bell = cfi_bell_of_process();
    size_t limit = options->arena_limit > 0 ? options->arena_limit : ARENA_LIMIT_DEFAULT;
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
        .record_times = options->record_times,
    };
    cfi_biased_lock_init(&executor->lock);
    cfi_biased_lock_init(&executor->reap_lock);
    cfi_lock_init(&executor->join_lock);
    cfi_attendant_init(&executor->deadlines);
    cfi_attendant_init(&executor->callback_thread);
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
    cfi_biased_lock_destroy(&executor->lock);
    cfi_biased_lock_destroy(&executor->reap_lock);
    cfi_lock_destroy(&executor->join_lock);
    cfi_attendant_destroy(&executor->deadlines);
    cfi_attendant_destroy(&executor->callback_thread);
    free(executor->limits);
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
        task->result_size > CF_PAYLOAD_MAX || options->retries > CF_RETRIES_MAX) {
        return CF_EINVAL;
    }
    return is_foreign(executor) ? CF_EFORKED : CF_OK;
}

/* One more, up to the most. Without the latest the others still do. */
static cf_status start_worker(cf_executor *executor) {
    unsigned started = cfi_load_relaxed(&executor->started);
    if (started == executor->max_workers || executor->ops->start_worker == NULL) {
        return CF_OK;
    }
    if (cfi_load_relaxed(&executor->queue.control->workers) == started) {
        cfi_store_release(&executor->queue.control->workers, started + 1);
    }
    cf_status status = executor->ops->start_worker(executor, started);
    if (status == CF_OK) {
        cfi_store_relaxed(&executor->started, started + 1);
    }
    return started > 0 ? CF_OK : status;
}

/* One more for each of `tasks`, which were published when `before` had been started. Started earlier they
 * would find nothing, fall asleep, and have to be woken. Under the lock. */
static inline void start_workers(cf_executor *executor, unsigned before, size_t tasks) {
    while (cfi_load_relaxed(&executor->started) < executor->max_workers &&
           cfi_load_relaxed(&executor->started) - before < tasks) {
        const unsigned started = cfi_load_relaxed(&executor->started);
        start_worker(executor);
        if (cfi_load_relaxed(&executor->started) == started) {
            return; /* refused: the next submit tries again */
        }
    }
}

/* Under the lock, which is given and taken again while it waits. Inside a task of its own it does
 * not wait: that task's worker might be the one that has to make room. */
static cf_status await_room(cf_executor *executor, int64_t until_ns) {
    if (executor->max_pending == 0 || cfi_executor_pending(executor) < executor->max_pending) {
        return executor->refuses;
    }
    bool in_time = until_ns != 0 && !cfi_worker_is_of(&executor->queue);
    for (;;) {
        uint32_t room = cfi_queue_room_listen(&executor->queue);
        if (executor->refuses != CF_OK || cfi_executor_pending(executor) < executor->max_pending) {
            return executor->refuses;
        }
        if (!in_time) {
            return CF_EFULL;
        }
        cfi_biased_lock_give(&executor->lock);
        cfi_queue_wake_one(&executor->queue); /* what the same batch has published before */
        in_time = cfi_queue_room_sleep(&executor->queue, room, until_ns);
        cfi_biased_lock_take(&executor->lock);
    }
}

static void fill_in(cf_executor *executor, cfi_slot *slot, const cfi_submission *submission) {
    int64_t *limit = cfi_slot_limit(slot, executor->queue.base);
    if (limit != NULL) {
        *limit = submission->timeout_ns;
    }
    if (submission->block == 0 && slot->arg_size > 0) {
        cfi_copy(cfi_slot_arg(slot, executor->queue.base), submission->arg, slot->arg_size);
    }
}

/* Under the lock. On success the slot is published. */
static inline cf_status enqueue(cf_executor *executor, const cfi_submission *submission,
                                bool wanted, cfi_slot **slot) {
    const cf_task *task = submission->task;
    uint16_t index;
    cf_status status = executor->refuses;
    if (status == CF_OK && cfi_load_relaxed(&executor->started) == 0) {
        status = start_worker(executor);
    }
    if (status == CF_OK) {
        status = await_room(executor, submission->until_ns);
    }
    if (status != CF_OK) {
        return status;
    }
    if (!cfi_task_table_find(&executor->tasks, &executor->queue, task, &index)) {
        return CF_ENOMEM;
    }
    unsigned kind = index | (submission->timeout_ns > 0 ? CFI_LIMITED : 0) |
                    (task->unzeroed ? CFI_UNZEROED : 0);
    cfi_slot *taken = cfi_slabs_take(&executor->slabs, task->arg_size, task->result_size, kind,
                                     submission->block);
    if (taken == NULL) {
        return CF_ENOMEM;
    }
    cfi_store_relaxed(&taken->announcement, CFI_NOT_ASKED);
    taken->watch = NULL;
    cfi_store_relaxed(&taken->refs, wanted ? 1 : 0);
    fill_in(executor, taken, submission);
    cfi_times_stamp_submit(&executor->queue, taken);
    executor->submitted++;
    cfi_slot_open(taken, submission->retries);
    cfi_queue_publish(&executor->queue);
    if (!wanted && cfi_slot_has_block(taken)) {
        cfi_slabs_forget(&executor->slabs, taken);
    } else if (!wanted && cfi_slab_give_up(taken)) {
        cfi_slabs_retire(&executor->slabs, cfi_slab_of(taken));
    }
    *slot = taken;
    return CF_OK;
}

static void show_to_workers(cf_executor *executor, cfi_slot *slot) {
    if (executor->ops->submitted != NULL) {
        executor->ops->submitted(executor, slot);
    } else {
        cfi_queue_wake_one(&executor->queue);
    }
}

static inline cf_status submit(cf_executor *executor, const cfi_submission *submission,
                               cf_future **future) {
    cfi_slot *slot;
    cfi_biased_lock_take(&executor->lock);
    const unsigned started = cfi_load_relaxed(&executor->started);
    cf_status status = enqueue(executor, submission, future != NULL, &slot);
    if (status == CF_OK) {
        start_workers(executor, started, 1);
    }
    cfi_biased_lock_give(&executor->lock);
    if (status != CF_OK) {
        return status;
    }
    if (future != NULL) {
        *future = slot;
    }
    show_to_workers(executor, slot);
    return CF_OK;
}

cf_status cfi_executor_submit(cf_executor *executor, const cfi_submission *submission,
                              cf_future **future) {
    return submit(executor, submission, future);
}

cf_status cfi_executor_submit_prepared(cf_executor *executor, const cfi_submission *submission,
                                       bool (*prepare)(void *context), void *context,
                                       cf_future **future) {
    uint16_t index;
    cfi_slot *slot;
    cfi_biased_lock_take(&executor->lock);
    const unsigned started = cfi_load_relaxed(&executor->started);
    cf_status status = await_room(executor, 0);
    if (status == CF_OK &&
        (!cfi_slabs_have_slot(&executor->slabs) ||
         !cfi_task_table_find(&executor->tasks, &executor->queue, submission->task, &index))) {
        status = CF_ENOMEM;
    }
    if (status == CF_OK && !prepare(context)) {
        status = CF_ELATER;
    }
    if (status == CF_OK) {
        status = enqueue(executor, submission, true, &slot);
    }
    if (status == CF_OK) {
        start_workers(executor, started, 1);
    }
    cfi_biased_lock_give(&executor->lock);
    if (status == CF_OK) {
        *future = slot;
        show_to_workers(executor, slot);
    }
    return status;
}

uint64_t cfi_executor_take_block(cf_executor *executor, size_t arg_size, size_t result_size) {
    cfi_biased_lock_take(&executor->lock);
    uint64_t block =
        cfi_slabs_take_block(&executor->slabs, cfi_payload_size(arg_size, result_size));
    cfi_biased_lock_give(&executor->lock);
    return block;
}

void cfi_executor_give_block(cf_executor *executor, uint64_t block, size_t arg_size,
                             size_t result_size) {
    cfi_biased_lock_take(&executor->lock);
    cfi_arena_give(&executor->arena, block, cfi_payload_size(arg_size, result_size));
    cfi_biased_lock_give(&executor->lock);
}

static const cf_submit_options default_submit_options;
static const char no_arguments[1]; /* of no task */

enum {
    LARGE = 32 << 10 /* bytes of an argument */
};

/* Copies a large argument before the lock is taken for it, so that nobody waits for that. */
static cf_status stage(cf_executor *executor, cfi_submission *submission, size_t *size) {
    const cf_task *task = submission->task;
    size_t limit = submission->timeout_ns > 0 ? CFI_LIMIT_BYTES : 0;
    *size = limit + cfi_payload_size(task->arg_size, task->result_size);
    cfi_biased_lock_take(&executor->lock);
    submission->block = cfi_slabs_take_block(&executor->slabs, *size);
    cfi_biased_lock_give(&executor->lock);
    if (submission->block == 0) {
        return CF_ENOMEM;
    }
    memcpy(executor->queue.base + submission->block + limit, submission->arg, task->arg_size);
    return CF_OK;
}

static cf_status stage_and_submit(cf_executor *executor, cfi_submission *submission,
                                  cf_future **future) {
    size_t size;
    cf_status status = stage(executor, submission, &size);
    if (status == CF_OK) {
        status = submit(executor, submission, future);
    }
    if (status != CF_OK && submission->block != 0) {
        cfi_biased_lock_take(&executor->lock);
        cfi_arena_give(&executor->arena, submission->block, size);
        cfi_biased_lock_give(&executor->lock);
    }
    return status;
}

cf_status cf_executor_submit_with(cf_executor *executor, const cf_task *task, const void *arg,
                                  const cf_submit_options *options, cf_future **future) {
    if (options == NULL) {
        options = &default_submit_options;
    }
    if (future != NULL) {
        *future = NULL;
    }
    cf_status status = check_submission(executor, task, arg, options);
    if (status == CF_OK && options->timeout_ns > 0) {
        status = cfi_deadlines_start(executor);
    }
    if (status != CF_OK) {
        return status;
    }
    cfi_submission submission = {
        .task = task,
        .arg = arg,
        .retries = options->retries,
        .timeout_ns = options->timeout_ns,
        .until_ns = executor->refuse_when_full ? 0 : -1,
    };
    return task->arg_size < LARGE ? submit(executor, &submission, future)
                                  : stage_and_submit(executor, &submission, future);
}

cf_status cf_executor_submit(cf_executor *executor, const cf_task *task, const void *arg,
                             cf_future **future) {
    return cf_executor_submit_with(executor, task, arg, NULL, future);
}

/* Under one taking of the lock as many as an executor with workers may be shown at once; few enough
 * that other submitters need not wait for long. Returns how many. */
static size_t submit_batch(cf_executor *executor, cfi_submission submission, size_t count,
                           cf_future **futures, cf_status *status) {
    cfi_slot *slot = NULL;
    size_t most = executor->ops->submitted != NULL ? 1 : CFI_SUBMIT_BATCH;
    size_t done = 0;
    *status = CF_OK;
    cfi_biased_lock_take(&executor->lock);
    const unsigned started = cfi_load_relaxed(&executor->started);
    while (done < count && done < most) {
        *status = enqueue(executor, &submission, futures != NULL, &slot);
        if (*status != CF_OK) {
            break;
        }
        if (futures != NULL) {
            futures[done] = slot;
        }
        submission.arg = (const char *)submission.arg + submission.task->arg_size;
        done++;
        if (executor->max_pending > 0) { /* the next may have to wait for them */
            start_workers(executor, started, done);
        }
    }
    start_workers(executor, started, done);
    cfi_biased_lock_give(&executor->lock);
    if (done > 0) {
        show_to_workers(executor, slot);
    }
    return done;
}

cf_status cf_executor_submit_many(cf_executor *executor, const cf_task *task, const void *args,
                                  size_t count, const cf_submit_options *options,
                                  cf_future **futures, size_t *submitted) {
    size_t done = 0;
    if (options == NULL) {
        options = &default_submit_options;
    }
    if (futures != NULL) {
        memset(futures, 0, count * sizeof *futures);
    }
    cf_status status = check_submission(executor, task, count > 0 ? args : no_arguments, options);
    if (status == CF_OK && options->timeout_ns > 0) {
        status = cfi_deadlines_start(executor);
    }
    while (status == CF_OK && done < count) {
        const cfi_submission submission = {
            .task = task,
            .arg = (const char *)args + done * task->arg_size,
            .retries = options->retries,
            .timeout_ns = options->timeout_ns,
            .until_ns = executor->refuse_when_full ? 0 : -1,
        };
        done += submit_batch(executor, submission, count - done,
                             futures != NULL ? futures + done : NULL, &status);
    }
    if (submitted != NULL) {
        *submitted = done;
    }
    return status;
}

const cfi_task_entry *cfi_executor_task_of(cf_executor *executor, const cfi_slot *slot) {
    cfi_biased_lock_take(&executor->lock);
    const cfi_task_entry *entry = executor->tasks.entries[slot->kind & CFI_KIND_TASK];
    cfi_biased_lock_give(&executor->lock);
    return entry;
}

/* ---- shutdown -------------------------------------------------------------------------------- */

bool cfi_executor_cancel(cf_executor *executor, cfi_slot *slot) {
    uint64_t word;
    if (cfi_slot_withdraw(slot, false, &word)) {
        cfi_add_relaxed(&executor->cancelled, 1);
        cfi_completion_announce(&executor->queue, slot, word);
        cfi_queue_room_made(&executor->queue);
        return true;
    }
    return cfi_word_phase(word) == CFI_CANCELLED;
}

static void cancel_slot(cfi_slot *slot, void *context) {
    cfi_executor_cancel(context, slot);
}

static void cancel_pending_tasks(cf_executor *executor) {
    executor->cancels = true;
    cfi_queue_visit(&executor->queue, cancel_slot, executor);
}

/* Who waits for room is told. */
static void close_submission(cf_executor *executor, bool cancel_pending) {
    cfi_biased_lock_take(&executor->lock);
    if (executor->refuses == CF_OK) {
        executor->refuses = CF_ESHUTDOWN;
    }
    if (cancel_pending) {
        cancel_pending_tasks(executor);
    }
    bool first = cfi_load_relaxed(&executor->queue.control->stop) == 0;
    cfi_store_release(&executor->queue.control->stop, 1);
    cfi_biased_lock_give(&executor->lock);
    cfi_queue_room_ring(&executor->queue);
    if (first) {
        cfi_queue_wake_all(&executor->queue);
        if (executor->ops->stop != NULL) {
            executor->ops->stop(executor);
        }
    }
}

static void join(cf_executor *executor) {
    cfi_lock_take(&executor->join_lock);
    if (!executor->joined) {
        if (executor->ops->join != NULL) {
            executor->ops->join(executor);
        }
        cfi_deadlines_stop(executor);
        cfi_callbacks_finish(executor);
    }
    executor->joined = true;
    cfi_lock_give(&executor->join_lock);
}

/* Its own tasks and callbacks cannot wait for themselves. */
static bool may_wait(const cf_executor *executor) {
    return !cfi_worker_is_of(&executor->queue) && !cfi_callback_is_of(executor);
}

cf_status cf_executor_shutdown(cf_executor *executor, bool wait, bool cancel_pending) {
    if (executor == NULL) {
        return CF_EINVAL;
    }
    if (is_foreign(executor)) {
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
    cfi_watch_reap(executor); /* the stack's references */
    cfi_biased_lock_take(&executor->lock);
    cfi_slabs_reclaim(&executor->slabs, executor->slabs.forgotten_count); /* all are settled */
    cfi_row_end(executor);
    if (cfi_slabs_close(&executor->slabs)) {
        cfi_slabs_retire(&executor->slabs, executor->slabs.open);
    }
    executor->destroyed = true;
    bool over = cfi_executor_is_over(executor);
    cfi_biased_lock_give(&executor->lock);
    if (over) {
        executor->ops->free(executor);
    }
}

static void send_to_all(cf_executor *executor, int signal) {
    cfi_biased_lock_take(&executor->lock);
    for (unsigned i = 0; i < cfi_load_relaxed(&executor->started); i++) {
        executor->ops->kill(executor, i, signal);
    }
    cfi_biased_lock_give(&executor->lock);
}

cf_status cf_executor_terminate_workers(cf_executor *executor) {
    cf_status status = cf_executor_shutdown(executor, false, true);
    if (status != CF_OK) {
        return status;
    }
    cfi_store_release(&executor->queue.control->terminating, 1);
    if (executor->ops->kill != NULL) {
        send_to_all(executor, SIGTERM);
    }
    return CF_OK;
}

cf_status cf_executor_kill_workers(cf_executor *executor) {
    if (executor != NULL && executor->ops->kill == NULL) {
        return is_foreign(executor) ? CF_EFORKED : CF_EUNSUPPORTED;
    }
    cf_status status = cf_executor_shutdown(executor, false, true);
    if (status == CF_OK) {
        send_to_all(executor, SIGKILL);
    }
    return status;
}
