/* The executor without workers: submit runs the task before it returns.
 *
 *   - Each submitter runs its own task on its own thread, one task at a time.
 *   - A task that submits another runs it inside that submit.
 *   - It is the oracle that the other executors must agree with: same slots, same gate, same order.
 *   - No thread sleeps in the queue.
 *   - Tasks that are still pending at shutdown are run by the thread that waits for its end.
 *
 * The thread that runs tasks has the turn. A submitter cannot run its task when
 *
 *   - tasks within tasks would nest too deep,
 *   - the initializer or the finalizer is the submitter, or
 *   - the task that has the turn waits for the submitter, directly or through others
 *     (waiting/nested.h finds out).
 *
 * In these cases the submitter leaves the task: it sets `left`. The thread that has the turn runs
 * the pending tasks when its outermost task has ended. turn_lock protects `runner`, who has the turn,
 * and `left`; so either the submitter finds that nobody has the turn, or the thread that gives it
 * finds `left`.
 *
 * turn_lock is held for a few instructions, never while a task runs. So its usual thread owns it
 * (platform/biased_lock.h), and a turn costs no locked instruction. A submitter that finds another
 * thread at its turn sleeps on `given`.
 *
 * A C++ exception may leave a task, and with it submit. Then the task has failed (worker/worker.h).
 * The cleanups of this file (PLAT_ON_LEAVING) give back all that the thread held. */
#include "cfutures/executor.h"
#include "cfutures/waiting/callback.h"
#include "cfutures/waiting/nested.h"
#include "cfutures/worker/worker.h"

#include "platform/assert.h"
#include "platform/biased_lock.h"
#include "platform/clock.h"
#include "platform/event_count.h"
#include "platform/on_leaving.h"
#include "platform/thread_id.h"

typedef struct serial {
    cf_executor base;
    plat_biased_lock turn_lock;
    uint64_t runner; /* number of the thread that has the turn; 0 = nobody has it */
    unsigned taken;  /* how often that thread has taken it: submits within tasks take it again */
    bool left;       /* a submitter could not run its task */
    plat_event_count given;
    /* From here on the fields belong to the thread that has the turn. */
    unsigned depth;    /* of tasks within tasks */
    cfi_worker worker; /* its life begins with a task */
    unsigned tasks;    /* run in this life */
    enum {
        UNBORN,
        BEGINNING, /* in the initializer */
        FIT,
        ENDING, /* in the finalizer */
        INIT_FAILED
    } state;
} serial;

static const cfi_worker_hooks hooks = {.overrun = NULL}; /* no deadline thread ends a run */

/* ---- the worker's life, at one's turn --------------------------------------------------------- */

static bool is_fit(serial *self) {
    if (self->state == UNBORN) {
        cfi_worker_scope scope;
        cfi_assert(self->depth == 0 && self->tasks == 0);
        self->state = BEGINNING;
        cfi_worker_enter(&scope, &self->worker, NULL);
        self->state = cfi_worker_begin(&self->worker) ? FIT : INIT_FAILED;
        cfi_worker_leave(&scope);
        if (self->state == INIT_FAILED) {
            cfi_executor_init_failed(&self->base, 0, 0);
        }
    }
    return self->state == FIT;
}

/* The finalizer may submit. That task waits for the next life. */
static void end_life(serial *self) {
    if (self->state == FIT) {
        cfi_worker_scope scope;
        cfi_assert(self->depth == 0);
        self->state = ENDING;
        cfi_worker_enter(&scope, &self->worker, NULL);
        cfi_worker_finish(&self->worker);
        cfi_worker_leave(&scope);
        self->state = UNBORN;
        self->tasks = 0;
        self->worker.local = NULL;
    }
}

/* ---- running, at one's turn ----------------------------------------------------------------- */

typedef struct run_on {
    serial *self;
    int64_t start_ns; /* of the outermost run */
} run_on;

/* The task has returned, or an exception has left it. */
static void after_run(run_on *on) {
    serial *self = on->self;
    cfi_record *record = &self->base.queue.records[0];
    cfi_assert(self->depth > 0 && self->state == FIT);
    self->tasks++;
    if (--self->depth == 0) {
        plat_bump_owned(&record->busy_ns, plat_now_ns() - on->start_ns);
        if (self->base.config.max_tasks != 0 && self->tasks >= self->base.config.max_tasks) {
            end_life(self);
            plat_bump_owned(&record->retired, 1);
        }
    }
    cfi_queue_advance_alone(&self->base.queue);
}

static void run(serial *self, cfi_slot *slot, uint64_t word) {
    run_on on PLAT_ON_LEAVING(after_run) = {self, self->depth == 0 ? plat_now_ns() : 0};
    cfi_assert(self->state == FIT && self->depth < CF_NESTING_MAX);
    self->depth++;
    cfi_worker_execute_in_scope(&self->worker, slot, word);
}

static void run_pending(serial *self) {
    cf_executor *executor = &self->base;
    cfi_slot *slot;
    uint64_t word;
    cfi_claim claim = {.max = 1};
    cfi_assert(self->depth == 0);
    while (cfi_queue_has_work(&executor->queue) && is_fit(self) &&
           (slot = cfi_queue_claim(&executor->queue, &claim, &word)) != NULL) {
        run(self, slot, word);
    }
    cfi_assert(claim.next == claim.end);
}

/* ---- the turn -------------------------------------------------------------------------------- */

/* The thread that has the turn will run the pending tasks when its outermost task has ended. */
static void leave(serial *self) {
    plat_biased_lock_take(&self->turn_lock);
    cfi_assert(self->runner == plat_thread_number);
    self->left = true;
    plat_biased_lock_give(&self->turn_lock);
}

/* False: another thread has the turn. If `leaves`, that thread will run the submitter's task. */
static bool took_turn(serial *self, bool leaves) {
    plat_biased_lock_take(&self->turn_lock);
    cfi_assert((self->runner == 0) == (self->taken == 0));
    const bool taken = self->runner == 0 || self->runner == plat_thread_number;
    if (taken) {
        self->runner = plat_thread_number;
        self->taken++;
    } else {
        self->left |= leaves;
    }
    plat_biased_lock_give(&self->turn_lock);
    return taken;
}

/* Listens before it looks, so that it misses no turn that is given meanwhile. */
static void await_turn(serial *self) {
    for (;;) {
        const uint32_t seen = plat_event_listen_heavy(&self->given, false);
        if (took_turn(self, false)) {
            return;
        }
        plat_event_sleep(&self->given, seen, -1, false);
    }
}

/* False: another thread has the turn, and will run the task. */
static bool take_turn(serial *self, cf_future *future) {
    cfi_blocked blocked = {.future = future};
    if (took_turn(self, false)) {
        return true;
    }
    if (!cfi_nested_block(&blocked)) {
        return took_turn(self, true);
    }
    await_turn(self);
    cfi_nested_unblock(&blocked);
    return true;
}

/* The thread runs no task of this executor, nor its initializer or finalizer. */
static bool is_outermost(const serial *self) {
    return self->depth == 0 && (self->state == FIT || self->state == UNBORN);
}

/* False: the thread keeps the turn, since it has to run a task that was left. */
static bool gave_turn(serial *self, bool runs_left) {
    plat_biased_lock_take(&self->turn_lock);
    cfi_assert(self->runner == plat_thread_number && self->taken > 0);
    const bool keeps = runs_left && self->left;
    if (keeps) {
        self->left = false;
    } else if (--self->taken == 0) {
        self->runner = 0;
    }
    plat_biased_lock_give(&self->turn_lock);
    if (!keeps) {
        plat_event_ring_light(&self->given, false);
    }
    return !keeps;
}

static void give_turn(serial *const *turn) {
    serial *self = *turn;
    while (!gave_turn(self, is_outermost(self))) {
        run_pending(self);
    }
    cfi_callbacks_attend(&self->base);
}

static bool is_pending(const cfi_slot *slot) {
    return cfi_word_phase(plat_load_relaxed(&slot->word)) == CFI_PENDING;
}

/* Another thread may have run the task while this one waited for the turn, and have ended the last
 * life. So a life begins only for a task that is still pending. */
static void serial_submitted(cf_executor *executor, cf_future *future) {
    serial *self = (serial *)executor;
    cfi_slot *slot = cfi_slot_of(future);
    uint64_t word;
    if (!take_turn(self, future)) {
        return;
    }
    serial *turn PLAT_ON_LEAVING(give_turn) = self;
    if (turn->depth >= CF_NESTING_MAX || turn->state == BEGINNING || turn->state == ENDING) {
        leave(turn);
    } else if (is_pending(slot) && is_fit(turn) && cfi_slot_begin(slot, 0, &word)) {
        run(turn, slot, word);
    }
}

static void serial_join(cf_executor *executor) {
    serial *self = (serial *)executor;
    await_turn(self);
    run_pending(self);
    end_life(self);
    gave_turn(self, false);
}

static void serial_free(cf_executor *executor) {
    serial *self = (serial *)executor;
    cfi_assert(self->state == UNBORN || self->state == INIT_FAILED); /* each life has ended */
    cfi_assert(self->runner == 0);
    plat_biased_lock_destroy(&self->turn_lock);
    cfi_executor_free(executor);
}

static const cfi_executor_ops serial_ops = {
    .kind = "serial",
    .submitted = serial_submitted,
    .join = serial_join,
    .free = serial_free,
};

cf_status cf_serial_create(const cf_pool_options *options, cf_executor **executor) {
    cf_status status = cfi_executor_create(sizeof(serial), &serial_ops, options, false, executor);
    if (status == CF_OK) {
        serial *self = (serial *)*executor;
        plat_biased_lock_init(&self->turn_lock);
        self->worker =
            (cfi_worker){.queue = &self->base.queue, .config = &self->base.config, .hooks = &hooks};
        plat_store_relaxed(&(*executor)->queue.records[0].id, plat_thread_id());
    }
    return status;
}
