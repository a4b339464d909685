#include "cfutures/waiting/watch.h"

#include "cfutures/core/damage.h"
#include "cfutures/core/reference.h"
#include "cfutures/queue/completion.h"

#include "platform/assert.h"
#include "platform/refusal.h"

#include <stdlib.h>

/* ---- delivering ------------------------------------------------------------------------------ */

/* Delivers to the watch's set. A watch may be reached twice: when it begins on a settled slot, and
 * when that slot is drained. */
static void deliver_to_set(cfi_watch *watch) {
    cfi_watch_set *set = watch->set;
    cfi_assert(plat_biased_lock_is_held(&cfi_executor_of(watch->future)->drain_lock));
    cfi_assert(cfi_word_is_over(plat_peek(&cfi_slot_of(watch->future)->word)));
    plat_biased_lock_take(&set->lock);
    if (!watch->delivered) {
        watch->delivered = true;
        cfi_list_append(&set->ready, &watch->ready);
    }
    plat_biased_lock_give(&set->lock);
}

/* Reverses the future's list of watches, which is last in, first out. */
static cfi_watch *oldest_first(cfi_watch *newest) {
    cfi_watch *oldest = NULL;
    while (newest != NULL) {
        cfi_watch *older = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = older;
    }
    return oldest;
}

void cfi_watch_deliver_all(cf_future *future) {
    cfi_assert(plat_biased_lock_is_held(&cfi_executor_of(future)->drain_lock));
    future->watch = oldest_first(future->watch);
    for (cfi_watch *watch = future->watch, *next; watch != NULL; watch = next) {
        next = watch->next; /* deliver may take the watch off */
        watch->deliver(watch);
    }
}

static void collect(cf_future *future) {
    cfi_assert(cfi_future_is_asked(future));
    cfi_future_mark(future, CFI_COLLECTED);
    cfi_watch_deliver_all(future);
    cfi_future_release(future); /* the stack's reference */
}

/* The future of an index that the stack may have. NULL: it makes no sense there, so a task has
 * overwritten the stack. */
static cf_future *announced(const cf_executor *executor, uint32_t index) {
    cf_future *future = cfi_slabs_future_at(&executor->slabs, index);
    return future != NULL && cfi_future_is_asked(future) &&
                   cfi_word_is_over(plat_load_acquire(&cfi_slot_of(future)->word))
               ? future
               : NULL;
}

/* The stack is newest first: reverses it. Its links lie where a task may write, so they are checked
 * here, and again when they are followed. */
static uint32_t reverse(cf_executor *executor, uint32_t newest) {
    uint32_t oldest = 0;
    while (newest != 0) {
        cf_future *future = announced(executor, newest - 1);
        if (future == NULL) {
            cfi_damage_note(executor);
            break;
        }
        uint32_t next = cfi_slot_of(future)->next_done;
        cfi_slot_of(future)->next_done = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

static void drain_locked(cf_executor *executor) {
    cfi_assert(plat_biased_lock_is_held(&executor->drain_lock));
    uint32_t first = reverse(executor, cfi_completion_take(&executor->queue));
    while (first != 0) {
        cf_future *future = announced(executor, first - 1);
        if (future == NULL) {
            cfi_damage_note(executor);
            return;
        }
        first = cfi_slot_of(future)->next_done;
        collect(future);
    }
}

/* Another thread may sleep on a set that was delivered to here: the bell wakes it. */
void cfi_watch_drain(cf_executor *executor) {
    if (!cfi_completion_any(&executor->queue)) {
        return;
    }
    cfi_assert(!plat_biased_lock_is_held(&executor->lock));
    plat_biased_lock_take(&executor->drain_lock);
    drain_locked(executor);
    bool calls = !cfi_list_is_empty(&executor->callbacks.waiting);
    plat_biased_lock_give(&executor->drain_lock);
    plat_event_ring(&executor->queue.bell->event, true);
    if (calls) {
        plat_event_ring_always(&executor->queue.control->callbacks, executor->queue.shared);
    }
}

static void ring_all(const cf_executor *executor) {
    plat_event_ring_always(&executor->queue.bell->event, true);
    plat_event_ring_always(&executor->queue.control->callbacks, executor->queue.shared);
}

void cfi_watch_drain_orphan(cf_executor *executor, cf_future *future, unsigned worker) {
    cfi_assert(!plat_biased_lock_is_held(&executor->lock));
    plat_biased_lock_take(&executor->drain_lock);
    drain_locked(executor);
    uint64_t word = plat_load_acquire(&cfi_slot_of(future)->word);
    if (cfi_future_is_asked(future) && cfi_word_phase(word) == CFI_FINISHED &&
        cfi_word_owner(word) == worker) {
        collect(future);
    }
    plat_biased_lock_give(&executor->drain_lock);
    ring_all(executor);
}

void cfi_watch_drain_broken(cf_executor *executor) {
    plat_biased_lock_take(&executor->drain_lock);
    cfi_completion_take(&executor->queue); /* they are found without it */
    for (const cfi_slab *slab = executor->slabs.all; slab != NULL; slab = slab->all_next) {
        for (uint32_t i = 1; i < CFI_SLAB_SLOTS; i++) {
            cf_future *future = cfi_slab_future(slab, i);
            if (cfi_future_is_asked(future)) {
                collect(future);
            }
        }
    }
    plat_biased_lock_give(&executor->drain_lock);
    ring_all(executor);
}

/* ---- watching -------------------------------------------------------------------------------- */

bool cfi_watch_set_init(cfi_watch_set *set) {
    *set = (cfi_watch_set){.bell = cfi_bell_of_process()};
    plat_biased_lock_init(&set->lock);
    return set->bell != NULL;
}

void cfi_watch_set_fini(cfi_watch_set *set) {
    plat_biased_lock_destroy(&set->lock);
    free(set->executors);
}

bool cfi_watch_set_know(cfi_watch_set *set, cf_executor *executor) {
    cfi_assert(!plat_biased_lock_is_held(&executor->drain_lock)); /* it may drain */
    for (size_t i = set->executor_count; i > 0; i--) {
        if (set->executors[i - 1] == executor) {
            return true;
        }
    }
    cf_executor **executors =
        plat_noted(realloc(set->executors, (set->executor_count + 1) * sizeof *executors));
    if (executors == NULL) {
        return false;
    }
    executors[set->executor_count++] = executor;
    set->executors = executors;
    cfi_watch_drain(executor); /* delivers what earlier sets left there */
    return true;
}

static bool is_watched_by(const cf_future *future, const cfi_watch_set *set) {
    cfi_assert(plat_biased_lock_is_held(&cfi_executor_of(future)->drain_lock));
    for (const cfi_watch *watch = future->watch; watch != NULL; watch = watch->next) {
        if (watch->set == set) {
            return true;
        }
    }
    return false;
}

bool cfi_watch_ask(cf_future *future) {
    uint64_t word;
    cfi_assert(plat_biased_lock_is_held(&cfi_executor_of(future)->drain_lock));
    cfi_assert(cfi_future_refs(future) > 0); /* the caller has one */
    if ((plat_load_relaxed(&future->about) & CFI_ASKED) != 0) {
        return cfi_future_is_asked(future);
    }
    cfi_future_retain(future); /* before the settler can push it */
    if (cfi_slot_flag(cfi_slot_of(future), CFI_WATCHED, &word)) {
        cfi_future_mark(future, CFI_ASKED);
        return true;
    }
    cfi_future_release(future); /* never the last one: the caller has its own */
    return false;
}

static void join_set(cfi_watch_set *set, cfi_watch *watch) {
    cfi_chain_insert(&set->members, NULL, &watch->member);
    if (set->unhelped == NULL) {
        set->unhelped = &watch->member;
    }
}

static void leave_set(cfi_watch_set *set, cfi_watch *watch) {
    if (set->unhelped == &watch->member) {
        set->unhelped = watch->member.next;
    }
    cfi_assert(watch->member.previous != NULL || set->members.first == &watch->member);
    cfi_chain_remove(&set->members, &watch->member);
}

cfi_watch_begun cfi_watch_begin(cfi_watch_set *set, cfi_watch *watch, cf_future *future,
                                size_t index) {
    cf_executor *executor = cfi_executor_of(future);
    cfi_assert(executor->queue.bell == set->bell);
    watch->future = NULL;
    if (!cfi_watch_set_know(set, executor)) {
        return CFI_WATCH_NO_MEMORY;
    }
    cfi_watch_begun begun = CFI_WATCH_DUPLICATE;
    plat_biased_lock_take(&executor->drain_lock);
    if (!is_watched_by(future, set)) {
        cfi_future_retain(future);
        *watch = (cfi_watch){.future = future,
                             .deliver = deliver_to_set,
                             .set = set,
                             .next = future->watch,
                             .index = index};
        future->watch = watch;
        if (!cfi_watch_ask(future) ||
            cfi_word_is_over(plat_load_acquire(&cfi_slot_of(future)->word))) {
            deliver_to_set(watch);
        }
        join_set(set, watch);
        begun = CFI_WATCH_BEGUN;
        cfi_assert(watch->delivered || cfi_future_is_asked(future));
    }
    cfi_assert((watch->future != NULL) == (begun == CFI_WATCH_BEGUN));
    plat_biased_lock_give(&executor->drain_lock);
    return begun;
}

void cfi_watch_take_off(cfi_watch *watch) {
    cfi_assert(plat_biased_lock_is_held(&cfi_executor_of(watch->future)->drain_lock));
    cfi_watch **link = &watch->future->watch;
    while (*link != watch) {
        cfi_assert(*link != NULL);
        link = &(*link)->next;
    }
    *link = watch->next;
}

void cfi_watch_end(cfi_watch *watch) {
    cf_future *future = watch->future;
    if (future == NULL) {
        return;
    }
    cf_executor *executor = cfi_executor_of(future);
    cfi_assert(watch->set != NULL); /* no callback */
    plat_biased_lock_take(&executor->drain_lock);
    cfi_watch_take_off(watch);
    plat_biased_lock_give(&executor->drain_lock);
    leave_set(watch->set, watch);
    watch->future = NULL;
    cfi_future_release(future);
}

/* ---- waiting --------------------------------------------------------------------------------- */

cfi_watch *cfi_watch_set_pop(cfi_watch_set *set) {
    plat_biased_lock_take(&set->lock);
    cfi_link *link = cfi_list_take(&set->ready);
    plat_biased_lock_give(&set->lock);
    cfi_watch *watch = link != NULL ? CFI_ENTRY(link, cfi_watch, ready) : NULL;
    cfi_assert(watch == NULL || (watch->set == set && watch->future != NULL && watch->delivered));
    return watch;
}

void cfi_watch_set_drain(cfi_watch_set *set) {
    for (size_t i = 0; i < set->executor_count; i++) {
        cfi_watch_drain(set->executors[i]);
    }
}

bool cfi_watch_set_any(cfi_watch_set *set, bool (*f)(cf_future *future)) {
    plat_biased_lock_take(&set->lock);
    bool any = !cfi_list_is_empty(&set->ready);
    for (cfi_node *node = set->members.first; node != NULL && !any; node = node->next) {
        const cfi_watch *watch = CFI_ENTRY(node, cfi_watch, member);
        any = !watch->delivered &&
              (cfi_word_is_over(plat_load_acquire(&cfi_slot_of(watch->future)->word)) ||
               f(watch->future));
    }
    plat_biased_lock_give(&set->lock);
    return any;
}
