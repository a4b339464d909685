#include "cfutures/core/submission.h"

#include "cfutures/core/counts.h"
#include "cfutures/core/observer.h"
#include "cfutures/core/reference.h"
#include "cfutures/queue/completion.h"
#include "cfutures/queue/times.h"
#include "cfutures/queue/tuning.h"
#include "cfutures/queue/wakeup.h"

#include "platform/assert.h"
#include "platform/copy.h"
#include "platform/fault.h"

/* ---- workers --------------------------------------------------------------------------------- */

/* Starts one more worker, up to the maximum. If the system refuses it, the others do the work; if
 * there are none, that is an error. Under the lock. */
static cf_status start_worker(cf_executor *executor) {
    unsigned started = plat_load_relaxed(&executor->started);
    cfi_assert(plat_biased_lock_is_held(&executor->lock));
    cfi_assert(started <= executor->max_workers);
    if (started == executor->max_workers || cfi_executor_is_serial(executor)) {
        return CF_OK;
    }
    if (plat_load_relaxed(&executor->workers) == started) {
        plat_store_release(&executor->workers, started + 1);
        plat_store_release(&executor->queue.control->workers, started + 1);
    }
    cf_status status = executor->ops->start_worker(executor, started);
    if (status == CF_OK) {
        plat_store_relaxed(&executor->started, started + 1);
    }
    return started > 0 ? CF_OK : status;
}

/* Starts a worker for each of `tasks`, which were published when `before` workers had been started.
 *
 *   - Workers are started after publishing. A worker that starts earlier, on another core, finds no
 *     task, falls asleep and has to be woken. Many workers do so again and again while their
 *     submitter waits for its turn on a processor (CFI_SUBMIT_BATCH).
 *   - None is started once the executor is shut down: join has counted the workers.
 *
 * Under the lock. */
static inline void start_workers(cf_executor *executor, unsigned before, size_t tasks) {
    cfi_assert(plat_biased_lock_is_held(&executor->lock));
    cfi_assert(before <= plat_peek(&executor->started));
    while (executor->refuses == CF_OK &&
           plat_load_relaxed(&executor->started) < executor->max_workers &&
           plat_load_relaxed(&executor->started) - before < tasks) {
        const unsigned started = plat_load_relaxed(&executor->started);
        if (started >= executor->workers_at_once) {
            executor->ops->short_of_workers(executor);
            return;
        }
        start_worker(executor);
        if (plat_load_relaxed(&executor->started) == started) {
            return; /* refused: the next submit tries again */
        }
    }
}

/* A task has submitted it. A worker that waits for that task may run it. */
static void show_to_helpers(cf_executor *executor) {
    plat_event_ring_light(&executor->queue.control->help, false);
}

static inline __attribute__((always_inline)) void show_to_workers(cf_executor *executor,
                                                                  cf_future *future) {
    cfi_assert(!plat_biased_lock_is_held(&executor->lock));
    cfi_assert(!plat_biased_lock_is_held(&executor->drain_lock)); /* the task may run in here */
    if (executor->ops->submitted != NULL) {
        executor->ops->submitted(executor, future);
    } else {
        cfi_queue_wake_one(&executor->queue);
        if (cfi_worker_innermost() != NULL && !executor->queue.shared) {
            show_to_helpers(executor);
        }
    }
    plat_fault_point(PUBLISH_SHOWN);
}

/* ---- reserve: all that can fail -------------------------------------------------------------- */

static bool has_room(const cf_executor *executor) {
    return executor->max_pending == 0 || cfi_counts_pending(executor) < executor->max_pending;
}

/* Listens before it looks, so that it misses no room that is made meanwhile (queue/queue.h). */
static cf_status await_room(cf_executor *executor, int64_t until_ns) {
    plat_event_count *room = &executor->queue.control->room;
    bool in_time = until_ns != 0 && !cfi_worker_is_of(&executor->queue);
    cfi_assert(executor->max_pending != 0 && !cfi_executor_is_serial(executor));
    cfi_assert(plat_biased_lock_is_held(&executor->lock));
    for (;;) {
        uint32_t seen = plat_event_listen_heavy(room, executor->queue.shared);
        if (executor->refuses != CF_OK || has_room(executor)) {
            return executor->refuses;
        }
        if (!in_time) {
            return CF_EFULL;
        }
        plat_biased_lock_give(&executor->lock);
        if (executor->ops->is_remote) { /* for what the same batch has published */
            executor->ops->submitted(executor, NULL);
        } else {
            cfi_queue_wake_one(&executor->queue);
        }
        in_time = plat_event_sleep(room, seen, until_ns, executor->queue.shared);
        plat_biased_lock_take(&executor->lock);
    }
}

/* Slots that were given up in a row are counted late. If memory is short, they are counted now:
 * that may free a slab. */
static bool find_slot(cf_executor *executor) {
    return cfi_slabs_have_slot(&executor->slabs) ||
           (cfi_release_batch_end(executor) && cfi_slabs_have_slot(&executor->slabs));
}

/* Under the lock. */
static inline cf_status reserve(cf_executor *executor, const cfi_submission *submission,
                                cf_future **future) {
    const cf_task *task = submission->task;
    cfi_assert(plat_biased_lock_is_held(&executor->lock));
    uint16_t index;
    cf_status status = executor->refuses;
    if (status == CF_OK && executor->max_pending != 0 && !has_room(executor)) {
        status = await_room(executor, submission->until_ns);
    }
    if (status == CF_OK && plat_load_relaxed(&executor->started) == 0) {
        status = start_worker(executor);
    }
    if (status != CF_OK) {
        return status;
    }
    if (!cfi_task_table_find(&executor->tasks, &executor->queue, task, &index) ||
        !find_slot(executor)) {
        return CF_ENOMEM;
    }
    unsigned kind = index | (submission->timeout_ns > 0 ? CFI_LIMITED : 0) |
                    (task->unzeroed ? CFI_UNZEROED : 0);
    *future = cfi_slabs_reserve(&executor->slabs, task->arg_size, task->result_size, kind,
                                submission->block);
    return *future != NULL ? CF_OK : CF_ENOMEM;
}

/* ---- publish: cannot fail -------------------------------------------------------------------- */

/* always_inline and noinline: with more than one way to publish, the compiler decides otherwise, and
 * a task takes a tenth longer. */

static inline __attribute__((always_inline)) void fill_in(cf_executor *executor,
                                                          const cf_future *future,
                                                          const cfi_submission *submission) {
    int64_t *limit = cfi_future_limit(future, executor->queue.base);
    cfi_assert((limit != NULL) == (submission->timeout_ns > 0));
    if (limit != NULL) {
        *limit = submission->timeout_ns;
    }
    if (submission->block == 0 && submission->task->arg_size > 0) {
        plat_copy(cfi_future_arg(future, executor->queue.base), submission->arg,
                  submission->task->arg_size);
    }
}

static uint64_t ticket_of(const cf_executor *executor, const cfi_slot *slot) {
    return cfi_slab_ticket_of(
        cfi_slabs_future_at(&executor->slabs, cfi_queue_index(&executor->queue, slot)));
}

/* The task that submits it, if that is one of this executor's: see waiting/nested.h. */
static __attribute__((noinline)) void note_parent(cf_executor *executor, const cf_future *future) {
    const cfi_worker_scope *scope = cfi_worker_scope_of(&executor->queue);
    const cfi_slot *slot = scope != NULL ? cfi_worker_slot_in(scope) : NULL;
    if (slot != NULL && !cfi_executor_is_serial(executor)) {
        cfi_slabs_note_parent(&executor->slabs, future, ticket_of(executor, slot));
    }
}

/* Nobody wants the future: its slot counts as given up from the start. */
static void give_up(cf_executor *executor, cf_future *future) {
    if (cfi_future_has_block(future)) {
        cfi_slabs_defer(&executor->slabs, future);
    } else if (cfi_slab_give_up(future)) {
        cfi_slabs_retire(&executor->slabs, cfi_slab_of(future));
    }
}

/* All that is noted of it before it is opened. Under the lock. */
static inline void fill(cf_executor *executor, const cfi_submission *submission, cf_future *future,
                        bool wanted) {
    cfi_assert(plat_biased_lock_is_held(&executor->lock));
    cfi_assert(executor->refuses == CF_OK);
    cfi_assert(cfi_slab_ticket_of(future) == executor->slabs.tail);
    cfi_assert(cfi_future_refs(future) == 0); /* nobody holds its last task */
    plat_fault_point(RESERVE_DONE);
    future->watch = NULL;
    plat_store_relaxed(&future->refs, wanted ? 1 : 0);
    fill_in(executor, future, submission);
    cfi_times_stamp_submit(&executor->queue, future, executor->counts.submitted);
    if (executor->queue.events != NULL) {
        cfi_observer_submitted(executor, future);
    }
    executor->counts.submitted++;
}

/* Under the lock. */
static inline void publish(cf_executor *executor, const cfi_submission *submission,
                           cf_future *future, bool wanted) {
    fill(executor, submission, future, wanted);
    if (cfi_worker_innermost() != NULL) {
        note_parent(executor, future);
    }
    cfi_slabs_use(&executor->slabs);
    plat_fault_point(PUBLISH_FILLED);
    cfi_slot_open(cfi_slot_of(future), submission->retries);
    plat_fault_point(PUBLISH_OPENED);
    cfi_queue_publish(&executor->queue, executor->slabs.tail);
    plat_fault_point(PUBLISH_DONE);
    cfi_assert(executor->max_pending == 0 || cfi_counts_pending(executor) <= executor->max_pending);
    if (!wanted) {
        give_up(executor, future);
    }
}

/* Called with the lock: starts a worker if there may be more, gives the lock, wakes a worker. */
static inline void finish(cf_executor *executor, unsigned started, cf_future *future) {
    start_workers(executor, started, 1);
    plat_biased_lock_give(&executor->lock);
    show_to_workers(executor, future);
}

/* ---- the steps, from outside ----------------------------------------------------------------- */

cf_status cfi_submission_reserve(cf_executor *executor, const cfi_submission *submission,
                                 cf_future **future) {
    cf_status status = cfi_observer_start(executor);
    if (status != CF_OK) {
        return status;
    }
    plat_biased_lock_take(&executor->lock);
    status = reserve(executor, submission, future);
    if (status != CF_OK) {
        plat_biased_lock_give(&executor->lock);
    }
    cfi_assert(status == CF_OK ? plat_biased_lock_is_held(&executor->lock)
                               : !plat_biased_lock_is_held(&executor->lock));
    return status;
}

void cfi_submission_publish(cf_executor *executor, const cfi_submission *submission,
                            cf_future *future) {
    publish(executor, submission, future, true);
    finish(executor, plat_load_relaxed(&executor->started), future);
}

void cfi_submission_abandon(cf_executor *executor, cf_future *future) {
    cfi_assert(future == cfi_slab_future(executor->slabs.open, executor->slabs.next));
    cfi_assert(plat_biased_lock_is_held(&executor->lock));
    cfi_slabs_unreserve(future);
    plat_fault_point(RESERVE_ABANDONED);
    plat_biased_lock_give(&executor->lock);
}

cf_status cfi_submission_submit(cf_executor *executor, const cfi_submission *submission,
                                cf_future **future) {
    cf_future *made;
    cf_status status = cfi_observer_start(executor);
    if (status != CF_OK) {
        return status;
    }
    plat_biased_lock_take(&executor->lock);
    const unsigned started = plat_load_relaxed(&executor->started);
    status = reserve(executor, submission, &made);
    if (status != CF_OK) {
        plat_biased_lock_give(&executor->lock);
        return status;
    }
    cfi_assert(cfi_executor_of(made) == executor);
    publish(executor, submission, made, future != NULL);
    if (future != NULL) {
        *future = made;
    }
    finish(executor, started, made);
    return CF_OK;
}

cf_status cfi_submission_begin(cf_executor *executor, const cfi_submission *submission,
                               const cfi_slot *parent, unsigned worker, cf_future **future,
                               uint64_t *word) {
    plat_biased_lock_take(&executor->lock);
    const unsigned started = plat_load_relaxed(&executor->started);
    cf_status status = reserve(executor, submission, future);
    if (status == CF_OK) {
        fill(executor, submission, *future, true);
        cfi_slabs_note_parent(&executor->slabs, *future, ticket_of(executor, parent));
        cfi_slabs_use(&executor->slabs);
        cfi_slot_open_begun(cfi_slot_of(*future), worker, word);
        cfi_queue_publish(&executor->queue, executor->slabs.tail);
        start_workers(executor, started, 1);
    }
    plat_biased_lock_give(&executor->lock);
    return status;
}

void cfi_submission_start_worker(cf_executor *executor) {
    plat_biased_lock_take(&executor->lock);
    if (executor->refuses == CF_OK &&
        plat_load_relaxed(&executor->started) < executor->workers_for_forks) {
        start_worker(executor); /* refused: the forker goes on alone */
    }
    plat_biased_lock_give(&executor->lock);
}

bool cfi_submission_descends(cf_executor *executor, const cfi_slot *slot,
                             const cf_future *ancestor) {
    if (ancestor == NULL) {
        return true;
    }
    plat_biased_lock_take(&executor->lock);
    const cf_future *future =
        cfi_slabs_future_at(&executor->slabs, cfi_queue_index(&executor->queue, slot));
    const bool descends = future == ancestor || cfi_slabs_descends(&executor->slabs, future,
                                                                   cfi_slab_ticket_of(ancestor));
    plat_biased_lock_give(&executor->lock);
    return descends;
}

size_t cfi_submission_submit_batch(cf_executor *executor, cfi_submission submission, size_t count,
                                   cf_future **futures, cf_status *status) {
    cf_future *future = NULL;
    size_t limit = cfi_executor_is_serial(executor) ? 1 : CFI_SUBMIT_BATCH;
    size_t done = 0;
    *status = cfi_observer_start(executor);
    if (*status != CF_OK) {
        return 0;
    }
    plat_biased_lock_take(&executor->lock);
    const unsigned started = plat_load_relaxed(&executor->started);
    while (done < count && done < limit) {
        *status = reserve(executor, &submission, &future);
        if (*status != CF_OK) {
            break;
        }
        publish(executor, &submission, future, futures != NULL);
        if (futures != NULL) {
            futures[done] = future;
        }
        submission.arg = (const char *)submission.arg + submission.task->arg_size;
        done++;
        if (executor->max_pending > 0) { /* the next may wait for room, which only workers make */
            start_workers(executor, started, done);
        }
    }
    start_workers(executor, started, done);
    plat_biased_lock_give(&executor->lock);
    cfi_assert(done <= count && done <= limit);
    cfi_assert(done > 0 || count == 0 || *status != CF_OK); /* else the caller would never end */
    if (done > 0) {
        show_to_workers(executor, future);
    }
    return done;
}

/* Tasks that wait beyond those which workers without a task will begin. */
static uint64_t tasks_without_worker(const cf_executor *executor) {
    const uint64_t pending = cfi_counts_pending(executor);
    uint64_t free = 0;
    for (unsigned i = 0; i < plat_load_relaxed(&executor->started); i++) {
        free += plat_load_relaxed(&executor->queue.records[i].current) == 0;
    }
    return pending > free ? pending - free : 0;
}

unsigned cfi_executor_add_workers(cf_executor *executor, unsigned count) {
    plat_biased_lock_take(&executor->lock);
    const unsigned before = plat_load_relaxed(&executor->started);
    const uint64_t tasks = tasks_without_worker(executor);
    unsigned started = before;
    while (executor->refuses != CF_EBROKEN && started < executor->max_workers &&
           started - before < count && started - before < tasks) {
        start_worker(executor);
        if (plat_load_relaxed(&executor->started) == started) {
            break; /* refused */
        }
        started++;
    }
    plat_biased_lock_give(&executor->lock);
    return started - before;
}

void cfi_executor_start_all(cf_executor *executor) {
    plat_biased_lock_take(&executor->lock);
    unsigned before = plat_load_relaxed(&executor->started);
    start_worker(executor);
    while (plat_load_relaxed(&executor->started) > before) {
        before = plat_load_relaxed(&executor->started);
        start_worker(executor);
    }
    plat_biased_lock_give(&executor->lock);
}

/* ---- blocks, and what else needs the lock ---------------------------------------------------- */

uint64_t cfi_executor_take_block(cf_executor *executor, size_t arg_size, size_t result_size) {
    plat_biased_lock_take(&executor->lock);
    uint64_t block =
        cfi_slabs_take_block(&executor->slabs, cfi_payload_size(arg_size, result_size));
    plat_biased_lock_give(&executor->lock);
    cfi_assert(block == 0 || block >= CFI_FIXED_BYTES); /* behind the control words */
    return block;
}

void cfi_executor_give_block(cf_executor *executor, uint64_t block, size_t arg_size,
                             size_t result_size) {
    cfi_assert(block >= CFI_FIXED_BYTES);
    plat_biased_lock_take(&executor->lock);
    cfi_arena_give(&executor->arena, block, cfi_payload_size(arg_size, result_size));
    plat_biased_lock_give(&executor->lock);
}

const cfi_task_entry *cfi_executor_task_of(cf_executor *executor, const cf_future *future) {
    plat_biased_lock_take(&executor->lock);
    uint32_t index = cfi_slot_of(future)->kind & CFI_KIND_TASK;
    index = index < executor->tasks.count ? index : 0; /* a task has overwritten it */
    const cfi_task_entry *entry = executor->tasks.entries[index];
    plat_biased_lock_give(&executor->lock);
    return entry;
}

bool cfi_executor_cancel(cf_executor *executor, cf_future *future) {
    uint64_t word;
    cfi_slot *slot = cfi_slot_of(future);
    if (cfi_slot_withdraw(slot, false, &word)) {
        plat_add_relaxed(&executor->counts.cancelled, 1);
        cfi_completion_announce(&executor->queue, slot, word);
        cfi_queue_room_made(&executor->queue);
        if (executor->queue.events != NULL) {
            cfi_observer_dropped(executor, future, CF_ECANCELLED);
        }
        return true;
    }
    return cfi_word_phase(word) == CFI_CANCELLED;
}
