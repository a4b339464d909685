#include "cfutures/waiting/nested.h"

#include "cfutures/worker/worker.h"

#include "platform/assert.h"
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
