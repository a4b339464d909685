#include "cfutures/core/deadline.h"

#include "cfutures/queue/completion.h"
#include "cfutures/queue/times.h"

#include "platform/assert.h"
#include "platform/clock.h"
#include "platform/futex.h"
#include "platform/refusal.h"
#include "platform/thread_id.h"

#include <signal.h>
#include <stdlib.h>

/* ---- declaring, under the executor's lock ---------------------------------------------------- */

static void end_run(cf_executor *executor, unsigned worker, cf_future *future, uint64_t word) {
    cfi_slot *slot = cfi_slot_of(future);
    cfi_assert(plat_biased_lock_is_held(&executor->lock));
    if (executor->ops->kill != NULL) {
        if (cfi_slot_expire(slot, false, &word)) {
            executor->ops->kill(executor, worker, SIGKILL);
        }
        return;
    }
    cfi_times_stamp_finish(cfi_times_of(&executor->queue, future));
    if (cfi_slot_expire(slot, true, &word)) {
        executor->counts.lost++; /* stats wait for the lock: a caller with the result finds it */
        executor->counts.timed_out++;
        plat_bump_owned(&executor->queue.records[worker].cut, 1);
        cfi_completion_announce(&executor->queue, slot, word);
    }
}

static void end_if_running(cf_executor *executor, unsigned worker, uint32_t limited,
                           uint64_t word) {
    if (cfi_word_is_run_by(word, worker)) {
        end_run(executor, worker, cfi_slabs_future_at(&executor->slabs, limited - 1), word);
    }
}

static uint64_t word_of(const cf_executor *executor, uint32_t limited) {
    const cf_future *future =
        limited > 0 ? cfi_slabs_future_at(&executor->slabs, limited - 1) : NULL;
    return future != NULL ? plat_load_acquire(&cfi_slot_of(future)->word) : 0;
}

/* What a worker's record shows: a run, and when it must end. */
typedef struct shown_run {
    uint32_t limited;
    uint64_t word;
} shown_run;

/* As a sequence lock: the worker changes `limited` only while run_until is 0. So if run_until is the
 * same before and after, all that was read between belongs to one run. False: it does not. */
static bool read_shown(const cf_executor *executor, unsigned worker, int64_t until_ns,
                       shown_run *run) {
    const cfi_record *record = &executor->queue.records[worker];
    cfi_assert(until_ns != 0); /* 0 says nothing of `limited` */
    run->limited = plat_load_acquire(&record->limited);
    run->word = word_of(executor, run->limited);
    return plat_load_acquire(&record->run_until_ns) == until_ns;
}

static void look_at_shown(cf_executor *executor, unsigned worker, int64_t now_ns,
                          int64_t *earliest_ns) {
    int64_t *ended_ns = &executor->limits.of[worker].ended_ns; /* shown until the worker knows */
    shown_run run;
    cfi_assert(plat_biased_lock_is_held(&executor->lock));
    cfi_assert(*ended_ns <= now_ns);
    int64_t until_ns = plat_load_seq_cst(&executor->queue.records[worker].run_until_ns);
    if (until_ns == 0 || until_ns == *ended_ns) {
        return;
    }
    if (until_ns > now_ns) {
        *earliest_ns = until_ns < *earliest_ns ? until_ns : *earliest_ns;
    } else if (read_shown(executor, worker, until_ns, &run)) {
        end_if_running(executor, worker, run.limited, run.word);
        *ended_ns = until_ns;
    }
}

static void look_at_outer(cf_executor *executor, unsigned worker, int64_t now_ns,
                          int64_t *earliest_ns) {
    for (cfi_outer_limit *outer = executor->limits.of[worker].outer; outer != NULL;
         outer = outer->next) {
        cfi_assert(outer->until_ns > 0 && outer->limited > 0);
        if (outer->ended) {
            continue;
        }
        if (outer->until_ns > now_ns) {
            *earliest_ns = outer->until_ns < *earliest_ns ? outer->until_ns : *earliest_ns;
        } else {
            end_if_running(executor, worker, outer->limited, word_of(executor, outer->limited));
            outer->ended = true;
        }
    }
}

/* ---- the thread ------------------------------------------------------------------------------ */

/* Ends the runs that are over their time. Returns the earliest end of the others. */
static int64_t look_through(cf_executor *executor, int64_t now_ns) {
    int64_t earliest_ns = INT64_MAX;
    plat_biased_lock_take(&executor->lock);
    plat_lock_take(&executor->limits.lock);
    cfi_assert(executor->limits.of != NULL);
    for (unsigned i = 0; i < plat_load_relaxed(&executor->started); i++) {
        look_at_shown(executor, i, now_ns, &earliest_ns);
        look_at_outer(executor, i, now_ns, &earliest_ns);
    }
    plat_lock_give(&executor->limits.lock);
    plat_biased_lock_give(&executor->lock);
    cfi_assert(earliest_ns > now_ns); /* what is over was ended */
    return earliest_ns;
}

static void *deadlines_main(void *context) {
    cf_executor *executor = context;
    cfi_control *control = executor->queue.control;
    plat_thread_name("cf-deadlines");
    cfi_assert(!cfi_executor_is_serial(executor));
    for (;;) {
        uint32_t seen = plat_event_seen(&control->deadline);
        if (plat_load_acquire(
                &executor->deadlines.stopped)) { /* read after `seen`: cfi_deadlines_stop rings */
            return NULL;
        }
        int64_t earliest_ns = look_through(executor, plat_now_ns());
        plat_store_seq_cst(&control->deadline_at_ns, earliest_ns);
        if (look_through(executor, plat_now_ns()) == earliest_ns) {
            plat_event_sleep(&control->deadline, seen, earliest_ns == INT64_MAX ? -1 : earliest_ns,
                             executor->queue.shared);
        }
    }
}

static void ring(void *context) {
    cf_executor *executor = context;
    plat_event_ring_always(&executor->queue.control->deadline, executor->queue.shared);
}

cf_status cfi_deadlines_start(cf_executor *executor) {
    if (cfi_executor_is_serial(executor) || cfi_attendant_runs(&executor->deadlines)) {
        return CF_OK;
    }
    cfi_limits *limits = &executor->limits;
    cfi_assert(!plat_biased_lock_is_held(&executor->lock)); /* above limits.lock in the order */
    plat_lock_take(&limits->lock);
    if (limits->of == NULL) {
        limits->of = plat_noted(calloc(executor->max_workers, sizeof *limits->of));
    }
    bool ready = limits->of != NULL;
    plat_lock_give(&limits->lock);
    if (!ready) {
        return CF_ENOMEM;
    }
    return cfi_attendant_start(&executor->deadlines, deadlines_main, executor) ? CF_OK : CF_EAGAIN;
}

void cfi_deadlines_stop(cf_executor *executor) {
    cfi_attendant_stop(&executor->deadlines, ring, executor);
}
