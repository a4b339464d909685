#include "cfutures/queue/wakeup.h"

#include "cfutures/queue/tuning.h"

#include "platform/assert.h"
#include "platform/clock.h"
#include "platform/futex.h"
#include "platform/spin.h"

/* ---- waking ---------------------------------------------------------------------------------- */

static void wake(cfi_queue *queue, int how_many) {
    plat_add_seq_cst(&queue->control->wake_count, 1);
    plat_futex_wake(&queue->control->wake_count, how_many, queue->shared);
}

/* False: no worker sleeps of which it is known. */
static bool wake_if_armed(cfi_queue *queue) {
    uint32_t armed = CFI_ARMED;
    bool wakes = plat_load_relaxed(&queue->control->need_wake) == CFI_ARMED &&
                 plat_cas(&queue->control->need_wake, &armed, CFI_CALM);
    if (wakes) {
        wake(queue, 1);
    }
    return wakes;
}

void cfi_queue_wake_needed(cfi_queue *queue) {
    plat_barrier_full(); /* against the searcher, which does no heavy one */
    wake_if_armed(queue);
}

void cfi_queue_wake_all(cfi_queue *queue) {
    wake(queue, INT_MAX);
}

static void arm(cfi_queue *queue) {
    plat_store_relaxed(&queue->control->need_wake, CFI_ARMED);
    plat_barrier_heavy(queue->shared); /* need_wake is written before tail is read */
}

void cfi_queue_forget_searcher(cfi_queue *queue, unsigned worker) {
    uint32_t searcher = worker + 1;
    cfi_assert(worker < CF_WORKERS_MAX);
    if (plat_cas(&queue->control->searcher, &searcher, 0)) {
        arm(queue);
    }
}

/* Every event count that a worker rings. */
static void ring_all(cfi_queue *queue) {
    cfi_control *control = queue->control;
    plat_event_ring_always(&queue->bell->event, true);
    plat_event_ring_always(&control->callbacks, queue->shared);
    plat_event_ring_always(&control->room, queue->shared);
    plat_event_ring_always(&control->help, queue->shared);
    plat_event_ring_always(&control->deadline, queue->shared);
}

void cfi_queue_worker_stopped(cfi_queue *queue, unsigned worker) {
    uint32_t searcher = worker + 1;
    cfi_assert(worker < CF_WORKERS_MAX);
    plat_cas(&queue->control->searcher, &searcher, 0);
    arm(queue); /* also if it was not the searcher: it may have had to arm after a wake-up */
    cfi_queue_wake_all(queue);
    ring_all(queue); /* it may have been about to */
}

/* ---- waiting for work ------------------------------------------------------------------------ */

/* Tasks may fork, or have forked: there may be jobs to steal, and nobody rings for them. */
static bool may_be_stolen(const cfi_queue *queue) {
    return queue->forks != NULL && plat_load_seq_cst(&queue->forks->regions) != 0;
}

/* The worker has begun a task: another one must be ready for the next task. */
static void hand_over(cfi_queue *queue, cfi_claim *claim) {
    cfi_control *control = queue->control;
    cfi_assert(plat_peek(&queue->records[claim->worker].current) != 0);
    if (!claim->searching && !claim->woken) {
        return;
    }
    cfi_fault_point(queue, claim->worker, HAND_OVER_BEGUN);
    if (claim->searching) {
        uint32_t searched = CFI_SEARCHED;
        plat_store_release(&control->searcher, 0);
        cfi_fault_point(queue, claim->worker, HAND_OVER_LEFT);
        plat_cas(&control->need_wake, &searched, CFI_ARMED);
        plat_barrier_full(); /* need_wake is written before tail is read */
    }
    if (claim->woken) { /* its wake-up was taken from the others too */
        arm(queue);
    }
    claim->searching = false;
    claim->woken = false;
    cfi_fault_point(queue, claim->worker, HAND_OVER_ARMED);
    if (cfi_queue_has_any_work(queue)) {
        if (!wake_if_armed(queue) && !queue->shared) {
            plat_event_ring_light(&control->help, false);
        }
    } else if (may_be_stolen(queue) && plat_load_relaxed(&queue->forks->poller) == 0) {
        wake_if_armed(queue); /* this worker has been the poller, or there was none */
    }
}

/* Work that came or was claimed since a look at the queue's tail and cursor. */
static bool has_moved(const cfi_control *control, uint64_t tail, uint64_t cursor) {
    return plat_load_relaxed(&control->tail) - tail >= CFI_OFFER_TASKS ||
           plat_load_relaxed(&control->cursor) - cursor >= CFI_OFFER_TASKS;
}

/* The submitter, or a worker with tasks, may be waiting for the processor of the searcher: two cores
 * have three threads. So the searcher offers it. But a stranger may take it for a whole time slice, and
 * a task that comes meanwhile waits as long. So after a vain offer the searcher keeps its processor, in
 * ever more searches. */
static void offer_processor(const cfi_queue *queue, cfi_claim *claim) {
    const cfi_control *control = queue->control;
    if (claim->kept < claim->keeps) {
        return;
    }
    uint64_t tail = plat_load_relaxed(&control->tail);
    uint64_t cursor = plat_load_relaxed(&control->cursor);
    int64_t begun_ns = plat_now_ns();
    plat_spin_offer();
    if (has_moved(control, tail, cursor)) {
        claim->keeps /= 2;
    } else if (plat_now_ns() - begun_ns >= CFI_OFFER_LONG_NS &&
               claim->keeps < CFI_OFFER_KEEPS_MAX) {
        claim->keeps = claim->keeps * 2 + 1;
    }
    claim->kept = 0;
}

/* True: there may be work, and the worker stays the searcher until it has begun a task. */
static bool search(cfi_queue *queue, cfi_claim *claim) {
    cfi_control *control = queue->control;
    uint32_t nobody = 0;
    cfi_assert(plat_peek(&queue->records[claim->worker].current) == 0);
    cfi_assert(claim->next == claim->end); /* it holds nothing back while it waits */
    if (!claim->searching && (plat_load_relaxed(&control->searcher) != 0 ||
                              !plat_cas(&control->searcher, &nobody, claim->worker + 1))) {
        return false;
    }
    claim->searching = true;
    claim->kept++;
    cfi_fault_point(queue, claim->worker, SEARCH_BEGUN);
    int64_t until_ns = plat_now_ns() + CFI_SEARCH_NS;
    do {
        for (unsigned i = 0; i < CFI_SEARCH_SPINS; i++) {
            uint32_t armed = CFI_ARMED;
            if (plat_load_relaxed(&control->need_wake) == CFI_ARMED) {
                plat_cas(&control->need_wake, &armed, CFI_SEARCHED);
            }
            if (cfi_queue_has_work(queue)) {
                cfi_fault_point(queue, claim->worker, SEARCH_FOUND);
                return true;
            }
            plat_spin_pause();
        }
        offer_processor(queue, claim);
    } while (plat_now_ns() < until_ns && plat_load_relaxed(&control->stop) == 0);
    claim->searching = false;
    plat_store_release(&control->searcher, 0);
    return false;
}

void cfi_queue_account(cfi_queue *queue, unsigned worker) {
    cfi_record *record = &queue->records[worker];
    cfi_assert(plat_peek(&record->awake_since_ns) != 0);
    plat_bump_owned(&record->busy_ns, plat_now_ns() - plat_load_relaxed(&record->awake_since_ns));
    plat_store_relaxed(&record->awake_since_ns, 0);
}

/* Until when an idle worker sleeps before it looks for jobs to steal. One worker does so; the others are
 * woken when it has found some. -1: until it is woken. */
static int64_t next_poll_ns(cfi_queue *queue, cfi_claim *claim) {
    uint32_t nobody = 0;
    if (!may_be_stolen(queue)) {
        return -1;
    }
    if (claim->poll_ns == 0 && !plat_cas(&queue->forks->poller, &nobody, claim->worker + 1)) {
        return -1;
    }
    const int64_t longer_ns = claim->poll_ns > 0 ? 2 * claim->poll_ns : CFI_STEAL_POLL_NS;
    claim->poll_ns = longer_ns < CFI_STEAL_POLL_MAX_NS ? longer_ns : CFI_STEAL_POLL_MAX_NS;
    return plat_now_ns() + claim->poll_ns;
}

static void stop_polling(cfi_queue *queue, cfi_claim *claim) {
    if (claim->poll_ns != 0) {
        cfi_assert(plat_peek(&queue->forks->poller) == claim->worker + 1);
        claim->poll_ns = 0;
        plat_store_release(&queue->forks->poller, 0);
    }
}

/* False: there is no work and there will be none. */
static bool fall_asleep(cfi_queue *queue, cfi_claim *claim) {
    cfi_control *control = queue->control;
    cfi_record *record = &queue->records[claim->worker];
    cfi_assert(!claim->searching); /* else all would sleep, and count on the searcher */
    uint32_t woken = plat_load_acquire(&control->wake_count);
    const bool stop = plat_load_acquire(&control->stop) != 0;
    if (stop) { /* tasks published before `stop` are seen, and all workers are woken */
        bool work = cfi_queue_has_any_work(queue);
        if (!work) {
            cfi_queue_account(queue, claim->worker);
        }
        return work;
    }
    /* What was armed before a poll still is: nobody has woken this worker, and no barrier is needed. */
    if (claim->poll_ns == 0 || plat_load_relaxed(&control->need_wake) != CFI_ARMED) {
        arm(queue);
    }
    cfi_fault_point(queue, claim->worker, SLEEP_ARMED);
    claim->woken = true;
    if (cfi_queue_has_any_work(queue)) {
        return true;
    }
    const int64_t until_ns = next_poll_ns(queue, claim);
    if (until_ns < 0) {
        stop_polling(queue, claim);
    }
    cfi_queue_account(queue, claim->worker);
    cfi_fault_point(queue, claim->worker, SLEEP_BEGINS);
    plat_futex_wait(&control->wake_count, woken, until_ns, queue->shared);
    cfi_fault_point(queue, claim->worker, SLEEP_WOKEN);
    plat_store_relaxed(&record->awake_since_ns, plat_now_ns());
    return true;
}

cfi_slot *cfi_queue_next(cfi_queue *queue, cfi_claim *claim, uint64_t *word) {
    for (;;) {
        cfi_slot *slot = cfi_queue_claim(queue, claim, word);
        if (slot == NULL && may_be_stolen(queue)) {
            slot = queue->forks->steal(queue, claim->worker, word);
        }
        if (slot != NULL) {
            stop_polling(queue, claim);
            hand_over(queue, claim);
            return slot;
        }
        plat_store_release(&queue->records[claim->worker].current, 0); /* others began them first */
        const bool polls = claim->poll_ns != 0; /* it has searched before the first poll */
        if ((polls || !search(queue, claim)) && !fall_asleep(queue, claim)) {
            stop_polling(queue, claim);
            return NULL;
        }
    }
}
