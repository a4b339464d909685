/* The executor without workers: submit runs the task before it returns.
 *
 * Each caller runs its own task on its own thread, one task at a time; a task that submits another
 * runs it then and there. The oracle that the other executors must agree with: same slots, same
 * gate, same order. Nothing ever sleeps in the queue. Tasks that other threads have submitted and
 * not yet run when the executor is shut down are run by who waits for its end.
 *
 * Two things keep a submitter from running its task: tasks within tasks would be too deep, or the
 * task that has the turn waits, round some corners, for the submitter (nested.h finds out). Then it
 * leaves the task to whoever has the turn, which sees `left` when its outermost task has ended. */
#include "cfutures/waiting/callback.h"
#include "cfutures/waiting/nested.h"

#include "platform/clock.h"
#include "platform/thread_id.h"

typedef struct serial {
    cf_executor base;
    cfi_lock run_lock; /* recursive; held while a task runs, before any other lock */
    unsigned depth;    /* of tasks within tasks; under run_lock */
    cfi_worker worker; /* whoever holds run_lock; its life begins with the first task */
    unsigned tasks;    /* of this life */
    _Atomic bool left; /* tasks that their submitters could not run: the outermost run does */
    enum {
        UNBORN,
        BEGINNING, /* in the initializer */
        FIT,
        UNFIT
    } state;
} serial;

static const cfi_worker_hooks hooks = {.overrun = NULL}; /* nobody declares a run over its time */

/* Under run_lock, like all below. */
static bool is_fit(serial *self) {
    if (self->state == UNBORN) {
        cfi_worker_scope scope;
        self->state = BEGINNING;
        cfi_worker_enter(&scope, &self->worker);
        self->state = cfi_worker_begin(&self->worker) ? FIT : UNFIT;
        cfi_worker_leave(&scope);
        if (self->state == UNFIT) {
            cfi_executor_unfit(&self->base, 0, 0);
        }
    }
    return self->state == FIT;
}

static void end_life(serial *self) {
    if (self->state == FIT) {
        cfi_worker_scope scope;
        cfi_worker_enter(&scope, &self->worker);
        cfi_worker_finish(&self->worker);
        cfi_worker_leave(&scope);
        self->state = UNBORN;
        self->tasks = 0;
        self->worker.local = NULL;
    }
}

static void run(serial *self, cfi_slot *slot, uint64_t word) {
    cfi_queue *queue = &self->base.queue;
    cfi_worker_scope scope;
    int64_t start_ns = self->depth++ == 0 ? cfi_now_ns() : 0;
    cfi_worker_enter(&scope, &self->worker);
    cfi_worker_execute(&self->worker, slot, word);
    cfi_worker_leave(&scope);
    self->tasks++;
    if (--self->depth == 0) {
        cfi_bump_owned(&queue->records[0].busy_ns, cfi_now_ns() - start_ns);
        if (self->base.life.max_tasks != 0 && self->tasks >= self->base.life.max_tasks) {
            end_life(self);
            cfi_bump_owned(&queue->records[0].retired, 1);
        }
    }
    cfi_queue_advance(queue);
}

static void run_pending(serial *self) {
    cf_executor *executor = &self->base;
    cfi_slot *slot;
    uint64_t word;
    cfi_seat seat = {.most = 1};
    while (cfi_queue_has_work(&executor->queue) && is_fit(self) &&
           (slot = cfi_queue_claim(&executor->queue, &seat, &word)) != NULL) {
        run(self, slot, word);
    }
}

/* Takes run_lock. False, without it, where that would never be had: inside a task that the one that
 * has it waits for. */
static bool take_turn(serial *self, cfi_slot *slot) {
    cfi_blocked blocked = {.slot = slot};
    if (cfi_lock_try(&self->run_lock)) {
        return true;
    }
    if (!cfi_nested_block(&blocked)) {
        cfi_store_seq_cst(&self->left, true);
        return false;
    }
    cfi_lock_take(&self->run_lock);
    cfi_nested_unblock(&blocked);
    return true;
}

static void serial_submitted(cf_executor *executor, cfi_slot *slot) {
    serial *self = (serial *)executor;
    uint64_t word;
    if (!take_turn(self, slot)) {
        return;
    }
    if (self->depth >= CF_NESTING_MAX || self->state == BEGINNING) {
        cfi_store_relaxed(&self->left, true);
    } else if (is_fit(self) && cfi_slot_begin(slot, 0, &word)) { /* or it was cancelled */
        run(self, slot, word);
    }
    while (self->depth == 0 && self->state == FIT && cfi_swap_seq_cst(&self->left, false)) {
        run_pending(self);
    }
    cfi_lock_give(&self->run_lock);
    cfi_callbacks_attend(executor);
}

static void serial_join(cf_executor *executor) {
    serial *self = (serial *)executor;
    cfi_lock_take(&self->run_lock);
    run_pending(self);
    end_life(self);
    cfi_lock_give(&self->run_lock);
}

static void serial_free(cf_executor *executor) {
    serial *self = (serial *)executor;
    cfi_lock_destroy(&self->run_lock);
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
        cfi_lock_init_recursive(&self->run_lock);
        self->worker =
            (cfi_worker){.queue = &self->base.queue, .life = &self->base.life, .hooks = &hooks};
        cfi_store_relaxed(&(*executor)->queue.records[0].id, cfi_thread_id());
    }
    return status;
}
