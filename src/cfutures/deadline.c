#include "cfutures/deadline.h"

#include "cfutures/completion.h"
#include "cfutures/times.h"

#include "platform/futex.h"
#include "platform/thread_id.h"

#include <signal.h>
#include <stdlib.h>

/* Under the executor's lock. */
static void end_run(cf_executor *executor, unsigned worker, cfi_slot *slot, uint64_t word) {
    if (executor->ops->kill != NULL) {
        if (cfi_slot_expire(slot, false, &word)) {
            executor->ops->kill(executor, worker, SIGKILL);
        }
        return;
    }
    cfi_times_stamp_finish(&executor->queue, slot);
    cfi_add_relaxed(&executor->lost, 1); /* before: who has the result finds it in the stats */
    cfi_add_relaxed(&executor->timed_out, 1);
    if (cfi_slot_expire(slot, true, &word)) {
        cfi_completion_announce(&executor->queue, slot, word);
    } else {
        cfi_sub_relaxed(&executor->lost, 1);
        cfi_sub_relaxed(&executor->timed_out, 1);
    }
}

/* The run of this worker that ends at until_ns, if it is still going on. */
static void end_run_of(cf_executor *executor, unsigned worker, int64_t until_ns) {
    const cfi_record *record = &executor->queue.records[worker];
    uint32_t limited = cfi_load_acquire(&record->limited);
    if (limited == 0) {
        return;
    }
    cfi_slot *slot = cfi_queue_slot(&executor->queue, limited - 1);
    uint64_t word = cfi_load_acquire(&slot->word);
    if (cfi_load_acquire(&record->run_until_ns) == until_ns && cfi_word_is_run_by(word, worker)) {
        end_run(executor, worker, slot, word);
    }
}

/* Ends what is over its time. Returns the earliest end of the others. */
static int64_t look_through(cf_executor *executor, int64_t now_ns) {
    int64_t earliest_ns = INT64_MAX;
    cfi_lock_take(&executor->lock);
    for (unsigned i = 0; i < executor->started; i++) {
        int64_t until_ns = cfi_load_seq_cst(&executor->queue.records[i].run_until_ns);
        if (until_ns == 0 || until_ns == executor->ended_ns[i]) {
            continue;
        }
        if (until_ns <= now_ns) {
            end_run_of(executor, i, until_ns);
            executor->ended_ns[i] = until_ns; /* not again, until the worker gets to know */
        } else if (until_ns < earliest_ns) {
            earliest_ns = until_ns;
        }
    }
    cfi_lock_give(&executor->lock);
    return earliest_ns;
}

static void *deadlines_main(void *context) {
    cf_executor *executor = context;
    cfi_control *control = executor->queue.control;
    cfi_thread_name("cf-deadlines");
    while (!cfi_load_acquire(&executor->deadlines.stopped)) {
        uint32_t rung = cfi_load_seq_cst(&control->deadline_rung);
        int64_t earliest_ns = look_through(executor, cfi_now_ns());
        cfi_store_seq_cst(&control->deadline_at_ns, earliest_ns);
        if (look_through(executor, cfi_now_ns()) == earliest_ns) {
            cfi_futex_wait(&control->deadline_rung, rung,
                           earliest_ns == INT64_MAX ? -1 : earliest_ns, executor->queue.shared);
        }
    }
    return NULL;
}

static void ring(void *context) {
    cf_executor *executor = context;
    cfi_control *control = executor->queue.control;
    cfi_add_seq_cst(&control->deadline_rung, 1);
    cfi_futex_wake_all(&control->deadline_rung, executor->queue.shared);
}

cf_status cfi_deadlines_start(cf_executor *executor) {
    if (executor->ops->start_worker == NULL || cfi_attendant_runs(&executor->deadlines)) {
        return CF_OK;
    }
    cfi_lock_take(&executor->lock);
    if (executor->ended_ns == NULL) {
        executor->ended_ns = calloc(executor->max_workers, sizeof *executor->ended_ns);
    }
    bool ready = executor->ended_ns != NULL;
    cfi_lock_give(&executor->lock);
    if (!ready) {
        return CF_ENOMEM;
    }
    return cfi_attendant_start(&executor->deadlines, deadlines_main, executor) ? CF_OK : CF_EAGAIN;
}

void cfi_deadlines_stop(cf_executor *executor) {
    cfi_attendant_stop(&executor->deadlines, ring, executor);
}
