#include "cfutures/core/deadline.h"

#include "cfutures/core/observer.h"

#include "cfutures/queue/completion.h"
#include "cfutures/queue/program_time.h"
#include "cfutures/queue/times.h"

#include "platform/assert.h"
#include "platform/fault.h"
#include "platform/futex.h"
#include "platform/refusal.h"
#include "platform/thread_id.h"

#include <signal.h>
#include <stdlib.h>

/* ---- declaring, under the executor's lock ---------------------------------------------------- */

static void tell(cf_executor *executor, cf_event_kind kind, unsigned worker,
                 const cf_future *future, uint64_t word) {
    if (executor->queue.events != NULL) {
        cfi_observer_cut(executor, future,
                         &(cfi_cut_run){.kind = kind,
                                        .worker = worker,
                                        .attempt = cfi_word_attempts(word),
                                        .outcome = CF_EDEADLINE});
    }
}

static void end_run(cf_executor *executor, unsigned worker, cf_future *future, uint64_t word) {
    cfi_slot *slot = cfi_slot_of(future);
    cfi_assert(plat_biased_lock_is_held(&executor->lock));
    if (executor->ops->kill != NULL) {
        if (cfi_slot_expire(slot, false, &word)) {
            plat_fault_point(DEADLINE_DECLARED);
            tell(executor, CF_EVENT_KILLED, worker, future, word);
            executor->ops->kill(executor, worker, SIGKILL);
            plat_fault_point(DEADLINE_KILLED);
        }
        return;
    }
    cfi_times_stamp_finish(cfi_times_of(&executor->queue, future));
    if (cfi_slot_expire(slot, true, &word)) {
        executor->counts.lost++; /* stats wait for the lock: a caller with the result finds it */
        executor->counts.timed_out++;
        plat_bump_owned(&executor->queue.records[worker].cut, 1);
        tell(executor, CF_EVENT_ENDED, worker, future, word);
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

static void end_shown(cf_executor *executor, unsigned worker, int64_t time_ns) {
    int64_t *ended_ns = &executor->limits.of[worker].ended_ns; /* shown until the worker knows */
    shown_run run;
    int64_t until_ns = plat_load_acquire(&executor->queue.records[worker].run_until_ns);
    cfi_assert(*ended_ns <= time_ns);
    if (until_ns != 0 && until_ns != *ended_ns && until_ns <= time_ns &&
        read_shown(executor, worker, until_ns, &run)) {
        end_if_running(executor, worker, run.limited, run.word);
        *ended_ns = until_ns;
    }
}

static void end_outer(cf_executor *executor, unsigned worker, int64_t time_ns) {
    for (cfi_outer_limit *outer = executor->limits.of[worker].outer; outer != NULL;
         outer = outer->next) {
        cfi_assert(outer->until_ns > 0 && outer->limited > 0);
        if (!outer->ended && outer->until_ns <= time_ns) {
            end_if_running(executor, worker, outer->limited, word_of(executor, outer->limited));
            outer->ended = true;
        }
    }
}

static void end_overdue(cf_executor *executor, int64_t time_ns) {
    plat_biased_lock_take(&executor->lock);
    plat_lock_take(&executor->limits.lock);
    for (unsigned i = 0; i < executor->max_workers; i++) {
        end_shown(executor, i, time_ns);
        end_outer(executor, i, time_ns);
    }
    plat_lock_give(&executor->limits.lock);
    plat_biased_lock_give(&executor->lock);
}

/* ---- the thread ------------------------------------------------------------------------------ */

static int64_t lesser(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* Of all workers, started or not: so the executor's lock is not needed. To take it for each look
 * would cost its owner the ownership, twenty times a second. */
static int64_t earliest_end(cf_executor *executor) {
    int64_t earliest_ns = INT64_MAX;
    plat_lock_take(&executor->limits.lock);
    cfi_assert(executor->limits.of != NULL);
    for (unsigned i = 0; i < executor->max_workers; i++) {
        const cfi_worker_limit *limit = &executor->limits.of[i];
        int64_t until_ns = plat_load_seq_cst(&executor->queue.records[i].run_until_ns);
        if (until_ns != 0 && until_ns != limit->ended_ns) {
            earliest_ns = lesser(earliest_ns, until_ns);
        }
        for (const cfi_outer_limit *outer = limit->outer; outer != NULL; outer = outer->next) {
            if (!outer->ended) {
                earliest_ns = lesser(earliest_ns, outer->until_ns);
            }
        }
    }
    plat_lock_give(&executor->limits.lock);
    return earliest_ns;
}

/* Ends the runs that are over their time. Returns the earliest end of the others. */
static int64_t look_through(cf_executor *executor, int64_t time_ns) {
    int64_t earliest_ns = earliest_end(executor);
    while (earliest_ns <= time_ns) {
        end_overdue(executor, time_ns);
        earliest_ns = earliest_end(executor);
    }
    return earliest_ns;
}

static int64_t next_look(int64_t time_ns, int64_t earliest_ns, bool found_none) {
    if (found_none && earliest_ns == INT64_MAX) {
        return INT64_MAX; /* when it is rung */
    }
    return lesser(earliest_ns, time_ns + CFI_LOOK_NS);
}

static void sleep_until(cf_executor *executor, int64_t time_ns, uint32_t seen) {
    cfi_control *control = executor->queue.control;
    int64_t clock_ns = time_ns == INT64_MAX ? -1 : cfi_program_time_on_clock(control, time_ns);
    plat_event_sleep(&control->deadline, seen, clock_ns, executor->queue.shared);
}

static void *deadlines_main(void *context) {
    cf_executor *executor = context;
    cfi_control *control = executor->queue.control;
    plat_thread_name("cf-deadlines");
    cfi_assert(!cfi_executor_is_serial(executor));
    bool found_none = false; /* by the look before */
    for (;;) {
        uint32_t seen = plat_event_seen(&control->deadline);
        if (plat_load_acquire(
                &executor->deadlines.stopped)) { /* read after `seen`: cfi_deadlines_stop rings */
            return NULL;
        }
        int64_t time_ns = cfi_program_time_look(control);
        int64_t earliest_ns = look_through(executor, time_ns);
        int64_t next_ns = next_look(time_ns, earliest_ns, found_none);
        found_none = earliest_ns == INT64_MAX && next_ns != INT64_MAX; /* anew after a ring */
        plat_store_seq_cst(&control->deadline_at_ns, next_ns);
        if (look_through(executor, time_ns) >= next_ns) {
            sleep_until(executor, next_ns, seen);
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
        cfi_program_time_start(executor->queue.control);
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
