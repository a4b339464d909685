/* What a dead worker leaves behind, and what becomes of its tasks.
 *
 *   - The supervisor calls cfi_executor_worker_died, in the caller's process: once for each death,
 *     before the worker's number is used again; and for every worker when the pool breaks. A worker
 *     thread that its task has ended calls it for itself (executors/thread_pool.c).
 *   - A dead worker changes nothing any more. Its `current` names the one slot that it can have
 *     left between two steps. The table of cases is in src/README.md, "The way of a death".
 *   - Its `claimed` names the tasks that it had claimed and not begun.
 *   - `lock` is given back before drain_lock is taken. */
#include "cfutures/executor.h"

#include "cfutures/core/damage.h"
#include "cfutures/core/observer.h"
#include "cfutures/core/submission.h"
#include "cfutures/queue/completion.h"
#include "cfutures/queue/times.h"
#include "cfutures/queue/tuning.h"
#include "cfutures/queue/wakeup.h"
#include "cfutures/waiting/watch.h"

#include "platform/assert.h"
#include "platform/clock.h"
#include "platform/fault.h"
#include "platform/futex.h"
#include "platform/wait_status.h"

static void tell_cut(cf_executor *executor, cf_event_kind kind, const cf_future *future,
                     unsigned worker, uint64_t word, cf_status outcome, int wait_status) {
    if (executor->queue.events != NULL) {
        cfi_observer_cut(executor, future,
                         &(cfi_cut_run){.kind = kind,
                                        .worker = worker,
                                        .attempt = cfi_word_attempts(word),
                                        .outcome = outcome,
                                        .wait_status = wait_status});
    }
}

/* In place of the worker. Does nothing if the task is no longer that worker's. */
static void settle_as_lost(cf_executor *executor, cf_future *future, unsigned worker,
                           cf_status outcome, int wait_status) {
    uint64_t word;
    cfi_slot *slot = cfi_slot_of(future);
    cfi_assert(plat_biased_lock_is_held(&executor->lock));
    cfi_assert(outcome != CF_OK && outcome != CF_ETASK); /* these only its worker can tell */
    slot->outcome = (uint8_t)outcome;
    slot->detail = wait_status;
    cfi_times_stamp_finish(cfi_times_of(&executor->queue, future));
    if (cfi_slot_orphan(slot, worker, CFI_FINISHED, &word)) {
        cfi_assert(((word & CFI_EXPIRED) != 0) == (outcome == CF_EDEADLINE)); /* as futures tell */
        executor->counts.lost++; /* stats wait for the lock: a caller with the result finds it */
        tell_cut(executor, CF_EVENT_ENDED, future, worker, word, outcome, wait_status);
        cfi_completion_announce(&executor->queue, slot, word);
    }
}

/* A task is not run again if the pool is broken or all pending tasks were cancelled. Nor is it run
 * again after some 10^9 later tasks, when another slab has its slab's entry in the directory. */
static bool may_run_again(const cf_executor *executor, const cf_future *future, uint64_t word) {
    const uint64_t most = (uint64_t)(CFI_SLABS_QUEUED_MAX - 1) * CFI_SLAB_SLOTS;
    uint64_t tail = executor->slabs.tail;
    cfi_assert(plat_biased_lock_is_held(&executor->lock));
    cfi_assert(cfi_slab_ticket_of(future) < tail);
    return cfi_word_attempts(word) < cfi_word_allowed(word) && !executor->cancels &&
           executor->refuses != CF_EBROKEN && tail - cfi_slab_ticket_of(future) < most;
}

static void tell_again(cf_executor *executor, const cf_future *future, unsigned worker,
                       uint64_t word, int wait_status) {
    tell_cut(executor, CF_EVENT_ENDED, future, worker, word, CF_EWORKER, wait_status);
    tell_cut(executor, CF_EVENT_RETRIED, future, worker, word, CF_EWORKER, wait_status);
}

static void run_again(cf_executor *executor, cf_future *future, unsigned worker, uint64_t word,
                      int wait_status) {
    cfi_assert(plat_biased_lock_is_held(&executor->lock));
    tell_again(executor, future, worker, word, wait_status); /* before another worker begins it */
    cfi_times_forget_start(cfi_times_of(&executor->queue, future));
    if (cfi_slot_orphan(cfi_slot_of(future), worker, CFI_PENDING, &word)) {
        executor->counts.again++;
        plat_add_relaxed(&executor->counts.retries, 1);
    }
}

/* word: its task's. True: it is pending again. */
static bool run_again_or_lose(cf_executor *executor, cf_future *future, unsigned worker,
                              uint64_t word, int wait_status) {
    if (may_run_again(executor, future, word)) {
        run_again(executor, future, worker, word, wait_status);
        return true;
    }
    settle_as_lost(executor, future, worker, CF_EWORKER, wait_status);
    return false;
}

/* Corrects the worker's counts: it may have died between changing a word and counting that. */
static void set_counts(cfi_record *record, bool was_running) {
    if (was_running) { /* the run did not end, even if it was counted already */
        plat_store_relaxed(&record->tasks, plat_load_relaxed(&record->tasks_settled));
        plat_store_relaxed(&record->task_errors, plat_load_relaxed(&record->task_errors_settled));
        plat_store_relaxed(&record->timed_out, plat_load_relaxed(&record->timed_out_settled));
        plat_bump_owned(&record->cut, 1);
    }
    plat_store_relaxed(&record->begun,
                       plat_load_relaxed(&record->tasks) + plat_load_relaxed(&record->cut));
}

static void judge(cf_executor *executor, cf_future *future, unsigned worker, int wait_status) {
    uint64_t word = plat_load_acquire(&cfi_slot_of(future)->word);
    if (!cfi_word_is_sound(word)) {
        cfi_damage_note(executor);
        return;
    }
    bool was_running = cfi_word_is_run_by(word, worker);
    if (executor->queue.events != NULL) {
        cfi_events_adopt(executor->queue.events, worker, !was_running);
    }
    set_counts(&executor->queue.records[worker], was_running);
    if (was_running) {
        if ((word & CFI_EXPIRED) != 0) { /* also in a broken pool: so its future says */
            executor->counts.timed_out++;
            settle_as_lost(executor, future, worker, CF_EDEADLINE, 0);
        } else if (executor->dead) {
            settle_as_lost(executor, future, worker, CF_EBROKEN, 0);
        } else {
            run_again_or_lose(executor, future, worker, word, wait_status);
        }
    }
}

/* The task may be pending, and only the dead worker knew of it. (Not if the pool cancels what is
 * pending: that was looked for in all slots.) */
static void give_back(cf_executor *executor, cf_future *future) {
    cfi_assert(plat_biased_lock_is_held(&executor->lock));
    if (cfi_word_phase(plat_load_acquire(&cfi_slot_of(future)->word)) == CFI_PENDING) {
        cfi_queue_rewind(&executor->queue, cfi_slab_ticket_of(future));
    }
}

/* The slot that it was about to begin, was running, or had just settled. */
static void judge_current(cf_executor *executor, unsigned worker, int wait_status) {
    cfi_queue *queue = &executor->queue;
    uint32_t current = plat_load_acquire(&queue->records[worker].current);
    if (current == 0) {
        if (queue->events != NULL) {
            cfi_events_adopt(queue->events, worker, true);
        }
        return;
    }
    cf_future *future = cfi_slabs_future_at(&executor->slabs, current - 1);
    if (future == NULL) {
        cfi_damage_note(executor);
        return;
    }
    plat_biased_lock_take(&executor->lock); /* cancel sees it before or after, not between */
    judge(executor, future, worker, wait_status);
    give_back(executor, future);
    plat_biased_lock_give(&executor->lock);
    plat_futex_wake_all(&cfi_slot_of(future)->futex,
                        queue->shared); /* it may have died before it woke them */
    cfi_watch_drain_orphan(executor, future, worker);
}

/* What it had claimed and not begun. A ticket without a future is one of a slab that was used again:
 * so its task is not pending. */
static void give_back_claimed(cf_executor *executor, unsigned worker) {
    uint64_t ticket, end;
    plat_biased_lock_take(&executor->lock);
    cfi_queue_claimed_by(&executor->queue, worker, &ticket, &end);
    if (end > executor->slabs.tail || end - ticket > CFI_CLAIM_MAX) {
        cfi_damage_note(executor);
        end = ticket;
    }
    for (; ticket < end; ticket++) {
        cf_future *future = cfi_slabs_future_of(&executor->slabs, ticket);
        if (future != NULL) {
            give_back(executor, future);
        }
    }
    plat_biased_lock_give(&executor->lock);
    plat_store_relaxed(&executor->queue.records[worker].claimed, 0);
}

/* It may have died with a ring or a wake-up in its hands: all are woken that it could have woken. */
static void wake_in_its_place(cfi_queue *queue, unsigned worker) {
    cfi_queue_forget_searcher(queue, worker);
    plat_event_ring_always(&queue->bell->event, true);
    cfi_queue_wake_all(queue);
    plat_event_ring_always(&queue->control->room, queue->shared);
}

static void clean_record(cfi_record *record) {
    int64_t awake_since_ns = plat_load_relaxed(&record->awake_since_ns);
    cfi_assert(plat_peek(&record->claimed) == 0 && plat_peek(&record->run_until_ns) == 0);
    if (awake_since_ns != 0) {
        plat_bump_owned(&record->busy_ns, plat_now_ns() - awake_since_ns);
    }
    plat_store_relaxed(&record->awake_since_ns, 0);
    plat_store_relaxed(&record->tasks_settled, plat_load_relaxed(&record->tasks));
    plat_store_relaxed(&record->task_errors_settled, plat_load_relaxed(&record->task_errors));
    plat_store_relaxed(&record->timed_out_settled, plat_load_relaxed(&record->timed_out));
    plat_store_relaxed(&record->limited, 0);
    plat_store_relaxed(&record->current, 0);
}

/* In this order: `current` is judged before it is cleaned, and nobody is woken before the tasks that
 * they look for are pending again. */
void cfi_executor_worker_died(cf_executor *executor, unsigned worker, int wait_status) {
    cfi_record *record = &executor->queue.records[worker];
    cfi_assert(worker < executor->max_workers);
    cfi_assert(!plat_biased_lock_is_held(&executor->lock));
    plat_store_relaxed(&record->run_until_ns, 0);
    if (wait_status != 0) { /* it looks at all slots: not for each worker that retires */
        cfi_damage_look(executor);
    }
    plat_fault_point(DEATH_SEEN);
    judge_current(executor, worker, wait_status);
    plat_fault_point(DEATH_JUDGED);
    give_back_claimed(executor, worker);
    plat_fault_point(DEATH_GIVEN_BACK);
    wake_in_its_place(&executor->queue, worker);
    plat_fault_point(DEATH_WOKEN);
    if (executor->queue.events != NULL && !executor->ops->is_remote) {
        cfi_observer_gone(executor, worker, wait_status);
    }
    clean_record(record);
    plat_fault_point(DEATH_CLEANED);
}

/* ---- workers that are alive, or that nobody can reach ---------------------------------------- */

static void settle_as_broken(cf_future *future, void *context) {
    cf_executor *executor = context;
    uint64_t word;
    cfi_assert(executor->why_broken.status == CF_EBROKEN);
    if (cfi_slot_withdraw(cfi_slot_of(future), true, &word)) {
        executor->counts.broken++; /* stats wait for the lock, as above */
        if (executor->queue.events != NULL) {
            cfi_observer_dropped(executor, future, CF_EBROKEN);
        }
        cfi_completion_announce(&executor->queue, cfi_slot_of(future), word);
    }
}

/* The task is pending again, or it ends as pending tasks do that cannot be run any more. */
static void put_back(cf_executor *executor, cf_future *future, bool begun) {
    executor->counts.again++;
    plat_add_relaxed(&executor->counts.retries, begun);
    if (executor->cancels) {
        cfi_executor_cancel(executor, future);
    } else if (executor->refuses == CF_EBROKEN) {
        settle_as_broken(future, executor);
    } else {
        give_back(executor, future);
    }
}

bool cfi_executor_run_cut(cf_executor *executor, unsigned worker, uint32_t index, cfi_cut cut,
                          int wait_status) {
    cf_future *future = cfi_slabs_future_at(&executor->slabs, index);
    uint64_t word;
    cfi_assert(executor->ops->is_remote && future != NULL && worker < executor->max_workers);
    plat_biased_lock_take(&executor->lock);
    word = plat_load_acquire(&cfi_slot_of(future)->word);
    cfi_assert(cfi_word_is_run_by(word, worker));
    plat_bump_owned(&executor->queue.records[worker].cut, 1);
    const bool begun = cut != CFI_CUT_UNBEGUN;
    bool again = (cut == CFI_CUT_RETURNED || !begun) &&
                 cfi_slot_return(cfi_slot_of(future), worker, begun, &word);
    if (again) {
        if (begun) {
            tell_again(executor, future, worker, word, wait_status);
        }
        put_back(executor, future, begun);
    } else if (cut == CFI_CUT_DIED) {
        again = run_again_or_lose(executor, future, worker, word, wait_status);
        give_back(executor, future);
    } else {
        settle_as_lost(executor, future, worker, CF_EWORKER, wait_status);
    }
    plat_biased_lock_give(&executor->lock);
    return again;
}

/* ---- the end of a pool ----------------------------------------------------------------------- */

/* Under the lock, after `refuses` is set, so that no task becomes pending any more. */
static void break_pending(cf_executor *executor) {
    cfi_assert(plat_biased_lock_is_held(&executor->lock));
    cfi_assert(executor->refuses == CF_EBROKEN);
    cfi_slabs_visit_unsettled(&executor->slabs, settle_as_broken, executor);
}

/* All workers are dead: ends what their records and the words do not tell of, because a task has
 * overwritten them. */
static void condemn_rest(cf_executor *executor) {
    plat_biased_lock_take(&executor->lock);
    for (const cfi_slab *slab = executor->slabs.all; slab != NULL; slab = slab->all_next) {
        for (uint32_t i = 1; i < CFI_SLAB_SLOTS; i++) {
            cfi_slot *slot = cfi_slab_slot(slab, i);
            uint64_t word;
            if (cfi_slab_has_used(&executor->slabs, slab, i) && cfi_slot_condemn(slot, &word)) {
                executor->counts.broken += cfi_word_is_sound(word);
                plat_futex_wake_all(&slot->futex, executor->queue.shared);
            }
        }
    }
    plat_biased_lock_give(&executor->lock);
    cfi_watch_drain_broken(executor);
}

void cfi_executor_break(cf_executor *executor, int fork_error) {
    plat_fault_point(BREAK_BEGINS);
    plat_biased_lock_take(&executor->lock);
    if (executor->refuses != CF_EBROKEN) {
        executor->why_broken =
            (cf_exception){.status = CF_EBROKEN, .task_error = fork_error, .worker = -1};
        executor->refuses = CF_EBROKEN;
    }
    cfi_assert(!executor->dead); /* once */
    executor->dead = true;
    plat_biased_lock_give(&executor->lock);
    for (unsigned i = 0; i < plat_load_relaxed(&executor->started); i++) {
        cfi_executor_worker_died(executor, i, 0);
    }
    plat_biased_lock_take(&executor->lock);
    break_pending(executor);
    plat_biased_lock_give(&executor->lock);
    condemn_rest(executor);
    plat_event_ring_always(&executor->queue.control->room, executor->queue.shared);
}

/* No worker can begin: pending tasks end, running ones are finished. */
static void refuse_for_good(cf_executor *executor, int init_error, int worker, int wait_status) {
    cfi_assert(!plat_biased_lock_is_held(&executor->lock));
    plat_biased_lock_take(&executor->lock);
    if (executor->refuses != CF_EBROKEN) {
        executor->refuses = CF_EBROKEN;
        executor->why_broken = (cf_exception){
            .status = CF_EBROKEN,
            .task_error = init_error,
            .signal = plat_wait_status_signal(wait_status),
            .exit_code = plat_wait_status_exit_code(wait_status),
            .worker = worker,
        };
    }
    break_pending(executor);
    plat_biased_lock_give(&executor->lock);
    cf_executor_shutdown(executor, false, false);
}

void cfi_executor_init_failed(cf_executor *executor, unsigned worker, int wait_status) {
    cfi_assert(worker < executor->max_workers);
    int error = plat_load_relaxed(&executor->queue.records[worker].init_error);
    refuse_for_good(executor, error, (int)worker, wait_status);
}

void cfi_executor_all_fruitless(cf_executor *executor, int wait_status) {
    refuse_for_good(executor, 0, -1, wait_status);
}
