#include "cfutures/waiting/nested.h"

#include "cfutures/queue/tuning.h"
#include "cfutures/waiting/steal.h"
#include "cfutures/worker/worker.h"

#include "platform/assert.h"
#include "platform/clock.h"
#include "platform/refusal.h"
#include "platform/thread.h"

/* ---- running what is waited for -------------------------------------------------------------- */

/* The scope in which the calling thread could run the task; NULL = none. */
static const cfi_worker_scope *scope_for(const cf_future *future) {
    return cfi_worker_innermost() != NULL ? cfi_worker_scope_of(&cfi_executor_of(future)->queue)
                                          : NULL;
}

static bool is_pending(cfi_slot *slot) {
    return cfi_word_phase(plat_load_relaxed(&slot->word)) == CFI_PENDING;
}

static cf_status run_in(const cfi_worker_scope *scope, cf_future *future, bool *ran) {
    uint64_t word;
    cfi_slot *slot = cfi_slot_of(future);
    if (cfi_worker_innermost()->depth >= CF_NESTING_MAX) {
        return CF_EDEADLOCK;
    }
    cfi_assert(scope->worker->queue == &cfi_executor_of(future)->queue);
    *ran = cfi_slot_begin(slot, scope->worker->number, &word);
    if (*ran) {
        cfi_worker_execute_in_scope(scope->worker, slot, word);
        cfi_assert(cfi_word_settled(plat_peek(&slot->word)));
    }
    return CF_OK;
}

cf_status cfi_nested_run(cf_future *future, bool *ran) {
    const cfi_worker_scope *scope = scope_for(future);
    *ran = false;
    return scope != NULL && is_pending(cfi_slot_of(future)) ? run_in(scope, future, ran) : CF_OK;
}

cf_status cfi_nested_run_one_of(cfi_watch_set *set, bool *ran) {
    cf_status status = CF_OK;
    *ran = false;
    if (cfi_worker_innermost() == NULL) {
        return CF_OK;
    }
    while (set->unhelped != NULL && !*ran && status == CF_OK) {
        cfi_watch *watch = CFI_ENTRY(set->unhelped, cfi_watch, member);
        cfi_assert(watch->set == set);
        status = cfi_nested_run(watch->future, ran);
        if (status == CF_OK) {
            set->unhelped = set->unhelped->next;
        }
    }
    return status;
}

/* ---- helping the task that is waited for ----------------------------------------------------- */

bool cfi_nested_can_help(const cf_future *future) {
    const cf_executor *executor = cfi_executor_of(future);
    return scope_for(future) != NULL && !executor->queue.shared &&
           !cfi_executor_is_serial(executor) && cfi_worker_innermost()->depth < CF_NESTING_MAX;
}

/* The first pending task among these tickets that descends from the one with the ticket `ancestor`.
 * NULL: there is none. Under the executor's lock. */
static cfi_slot *find_descendant(const cfi_slabs *slabs, uint64_t ancestor, uint64_t ticket,
                                 uint64_t end) {
    ticket = ticket > ancestor ? ticket : ancestor + 1; /* they are younger */
    for (; ticket < end; ticket++) {
        cf_future *future = cfi_slabs_future_of(slabs, ticket);
        if (future != NULL && is_pending(cfi_slot_of(future)) &&
            cfi_slabs_descends(slabs, future, ancestor)) {
            return cfi_slot_of(future);
        }
    }
    return NULL;
}

static _Thread_local int64_t pause_ns;

static void adapt_pause(int64_t took_ns) {
    pause_ns = cfi_pause_after(took_ns, pause_ns, CFI_HELP_PAUSE_MAX_NS);
}

static _Thread_local int64_t poll_ns;

bool cfi_nested_steal(cf_future *future) {
    const cfi_worker *worker = scope_for(future)->worker;
    uint64_t word;
    cfi_slot *slot = cfi_steal_for(future, worker->number, &word);
    if (slot != NULL) {
        poll_ns = 0;
        cfi_worker_execute_in_scope(worker, slot, word);
    }
    return slot != NULL;
}

int64_t cfi_nested_poll_ns(const cf_future *future) {
    const cfi_forks *forks = cfi_executor_of(future)->queue.forks;
    if (forks == NULL || plat_load_relaxed(&forks->regions) == 0) {
        return -1;
    }
    const int64_t longer_ns = poll_ns > 0 ? 2 * poll_ns : CFI_STEAL_POLL_NS;
    poll_ns = longer_ns < CFI_STEAL_POLL_MAX_NS ? longer_ns : CFI_STEAL_POLL_MAX_NS;
    return poll_ns;
}

void cfi_nested_help_was_vain(void) {
    adapt_pause(0);
}

int64_t cfi_nested_pause_ns(void) {
    return pause_ns;
}

static cfi_slot *find_help(cf_executor *executor, uint64_t ancestor) {
    cfi_queue *queue = &executor->queue;
    uint64_t ticket = 0, end = 0;
    cfi_slot *slot = NULL;
    for (unsigned i = 0; i < plat_load_relaxed(&executor->started) && slot == NULL; i++) {
        cfi_queue_claimed_by(queue, i, &ticket, &end);
        slot = find_descendant(&executor->slabs, ancestor, ticket, end);
    }
    if (slot == NULL) {
        cfi_queue_advance(queue); /* while all wait for each other, nobody claims */
        ticket = cfi_queue_cursor(queue);
        end = executor->slabs.tail - ticket > CFI_HELP_LOOKS ? ticket + CFI_HELP_LOOKS
                                                             : executor->slabs.tail;
        slot = find_descendant(&executor->slabs, ancestor, ticket, end);
    }
    return slot;
}

/* It begins under the lock: before, its slot might be used again for another task. */
bool cfi_nested_help(cf_future *future) {
    cf_executor *executor = cfi_executor_of(future);
    const cfi_worker *worker = scope_for(future)->worker;
    uint64_t word = 0;
    cfi_assert(cfi_nested_can_help(future));
    plat_biased_lock_take(&executor->lock);
    cfi_slot *slot = find_help(executor, cfi_slab_ticket_of(future));
    const bool begun = slot != NULL && cfi_slot_begin(slot, worker->number, &word);
    plat_biased_lock_give(&executor->lock);
    if (begun) {
        const int64_t begun_ns = plat_now_ns();
        cfi_worker_execute_in_scope(worker, slot, word);
        adapt_pause(plat_now_ns() - begun_ns);
    }
    return slot != NULL; /* if another worker was faster, there may be more */
}

/* ---- the threads that wait ------------------------------------------------------------------- */

static plat_lock list_lock = PLAT_LOCK_INITIALIZER;
static cfi_chain list; /* of cfi_blocked; under list_lock */

static bool works_for(const cfi_blocked *blocked, const cfi_queue *queue) {
    const cfi_worker_scope *scope = blocked->scope;
    while (scope != NULL && scope->worker->queue != queue) {
        scope = scope->outer;
    }
    return scope != NULL;
}

static bool is_worker(const cfi_blocked *blocked, const cfi_queue *queue, unsigned number) {
    const cfi_worker_scope *scope = blocked->scope;
    while (scope != NULL && (scope->worker->queue != queue || scope->worker->number != number)) {
        scope = scope->outer;
    }
    return scope != NULL;
}

static bool worker_goes_on(const cfi_queue *queue, unsigned number) {
    for (cfi_node *node = list.first; node != NULL; node = node->next) {
        const cfi_blocked *b = CFI_ENTRY(node, cfi_blocked, node);
        if (b->hopeless && is_worker(b, queue, number)) {
            return false;
        }
    }
    return true;
}

/* Because its workers are blocked. Once all are started, the last one goes on: so no wait that was let
 * through becomes hopeless. */
static bool may_grow(const cf_executor *executor) {
    return executor->workers_at_once < executor->max_workers &&
           plat_load_relaxed(&executor->started) < executor->max_workers;
}

static bool some_worker_goes_on(const cf_executor *executor) {
    unsigned hopeless = 0;
    if (cfi_executor_is_serial(executor)) { /* its submitter runs it when no other task runs */
        return worker_goes_on(&executor->queue, 0);
    }
    for (cfi_node *node = list.first; node != NULL; node = node->next) {
        const cfi_blocked *b = CFI_ENTRY(node, cfi_blocked, node);
        hopeless += b->hopeless && works_for(b, &executor->queue);
    }
    return hopeless < plat_load_relaxed(&executor->started) || may_grow(executor);
}

static bool task_goes_on(cf_future *future) {
    const cf_executor *executor = cfi_executor_of(future);
    uint64_t word = plat_load_acquire(&cfi_slot_of(future)->word);
    if (cfi_word_is_over(word) || executor->queue.shared) {
        return true;
    }
    return cfi_word_phase(word) == CFI_RUNNING
               ? worker_goes_on(&executor->queue, cfi_word_owner(word))
               : some_worker_goes_on(executor);
}

static bool goes_on(const cfi_blocked *blocked) {
    return blocked->future != NULL ? task_goes_on(blocked->future)
                                   : cfi_watch_set_any(blocked->set, task_goes_on);
}

/* Marks the threads that will never go on: all, except those that are shown to go on. Returns how
 * many they are. */
static unsigned find_hopeless(void) {
    unsigned hopeless = 0;
    for (cfi_node *node = list.first; node != NULL; node = node->next) {
        cfi_blocked *b = CFI_ENTRY(node, cfi_blocked, node);
        cfi_assert(b->scope != NULL); /* it waits inside a task */
        b->hopeless = true;
        hopeless++;
    }
    for (bool changed = true; changed;) {
        changed = false;
        for (cfi_node *node = list.first; node != NULL; node = node->next) {
            cfi_blocked *b = CFI_ENTRY(node, cfi_blocked, node);
            if (b->hopeless && goes_on(b)) {
                b->hopeless = false;
                hopeless--;
                changed = true;
            }
        }
    }
    return hopeless;
}

bool cfi_nested_block(cfi_blocked *blocked) {
    cfi_assert((blocked->future != NULL) != (blocked->set != NULL));
    blocked->scope = cfi_worker_innermost();
    blocked->hopeless = false;
    if (blocked->scope == NULL) {
        return true;
    }
    plat_lock_take(&list_lock);
    cfi_chain_insert(&list, NULL, &blocked->node);
    unsigned found = find_hopeless();
    bool hopeless = blocked->hopeless;
    cfi_assert(hopeless || found == 0); /* no wait that began before becomes hopeless */
    if (hopeless) {
        cfi_chain_remove(&list, &blocked->node);
    }
    plat_lock_give(&list_lock);
    return !hopeless;
}

void cfi_nested_unblock(cfi_blocked *blocked) {
    if (blocked->scope == NULL) {
        return;
    }
    plat_lock_take(&list_lock);
    cfi_assert(blocked->node.previous != NULL || list.first == &blocked->node);
    cfi_chain_remove(&list, &blocked->node);
    plat_lock_give(&list_lock);
}

static void forget_parent(void) {
    plat_lock_init(&list_lock);
    list = (cfi_chain){0};
    cfi_worker_forget_scopes();
}

bool cfi_nested_prepare_for_fork(void) {
    static _Atomic uint32_t prepared;
    if (plat_swap_seq_cst(&prepared, 1) == 0 && !plat_at_fork_in_child(forget_parent)) {
        plat_refusal_note_memory();
        plat_store_relaxed(&prepared, 0);
    }
    return plat_load_relaxed(&prepared) != 0;
}
