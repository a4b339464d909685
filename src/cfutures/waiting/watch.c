#include "cfutures/waiting/watch.h"

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
    cfi_assert(plat_biased_lock_is_held(&cfi_executor_of(watch->slot)->drain_lock));
    cfi_assert(cfi_word_settled(plat_peek(&watch->slot->word)));
    plat_biased_lock_take(&set->lock);
    if (!watch->delivered) {
        watch->delivered = true;
        cfi_list_append(&set->ready, &watch->ready);
    }
    plat_biased_lock_give(&set->lock);
}

/* Reverses the slot's list of watches, which is last in, first out. */
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

void cfi_watch_deliver_all(cfi_slot *slot) {
    cfi_assert(plat_biased_lock_is_held(&cfi_executor_of(slot)->drain_lock));
    slot->watch = oldest_first(slot->watch);
    for (cfi_watch *watch = slot->watch, *next; watch != NULL; watch = next) {
        next = watch->next; /* deliver may take the watch off */
        watch->deliver(watch);
    }
}

static void collect(cfi_slot *slot) {
    cfi_assert(plat_peek(&slot->announcement) == CFI_ASKED);
    cfi_assert(cfi_word_settled(plat_peek(&slot->word)));
    plat_store_relaxed(&slot->announcement, CFI_COLLECTED);
    cfi_watch_deliver_all(slot);
    cfi_slot_release(slot); /* the stack's reference */
}

static void drain_locked(cf_executor *executor) {
    cfi_assert(plat_biased_lock_is_held(&executor->drain_lock));
    uint32_t first = cfi_completion_take(&executor->queue);
    while (first != 0) {
        cfi_slot *slot = cfi_queue_slot(&executor->queue, first - 1);
        first = slot->next_done;
        collect(slot);
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

void cfi_watch_drain_orphan(cf_executor *executor, cfi_slot *slot, unsigned worker) {
    cfi_assert(!plat_biased_lock_is_held(&executor->lock));
    plat_biased_lock_take(&executor->drain_lock);
    drain_locked(executor);
    uint64_t word = plat_load_acquire(&slot->word);
    if (plat_load_relaxed(&slot->announcement) == CFI_ASKED &&
        cfi_word_phase(word) == CFI_FINISHED && cfi_word_owner(word) == worker) {
        collect(slot);
    }
    plat_biased_lock_give(&executor->drain_lock);
    plat_event_ring_always(&executor->queue.bell->event, true);
    plat_event_ring_always(&executor->queue.control->callbacks, executor->queue.shared);
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

static bool know_executor(cfi_watch_set *set, cf_executor *executor) {
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

static bool is_watched_by(const cfi_slot *slot, const cfi_watch_set *set) {
    cfi_assert(plat_biased_lock_is_held(&cfi_executor_of(slot)->drain_lock));
    for (const cfi_watch *watch = slot->watch; watch != NULL; watch = watch->next) {
        if (watch->set == set) {
            return true;
        }
    }
    return false;
}

bool cfi_watch_ask(cfi_slot *slot) {
    uint64_t word;
    cfi_assert(plat_biased_lock_is_held(&cfi_executor_of(slot)->drain_lock));
    cfi_assert((plat_peek(&slot->refs) & ~CFI_OBSERVED) > 0); /* the caller has one */
    if (plat_load_relaxed(&slot->announcement) != CFI_NOT_ASKED) {
        return plat_load_relaxed(&slot->announcement) == CFI_ASKED;
    }
    cfi_slot_retain(slot); /* before the settler can push it */
    if (cfi_slot_flag(slot, CFI_WATCHED, &word)) {
        plat_store_relaxed(&slot->announcement, CFI_ASKED);
        return true;
    }
    cfi_slot_release(slot); /* never the last one: the caller has its own */
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

cfi_watch_begun cfi_watch_begin(cfi_watch_set *set, cfi_watch *watch, cfi_slot *slot,
                                size_t index) {
    cf_executor *executor = cfi_executor_of(slot);
    cfi_assert(executor->queue.bell == set->bell);
    watch->slot = NULL;
    if (!know_executor(set, executor)) {
        return CFI_WATCH_NO_MEMORY;
    }
    cfi_watch_begun begun = CFI_WATCH_DUPLICATE;
    plat_biased_lock_take(&executor->drain_lock);
    if (!is_watched_by(slot, set)) {
        cfi_slot_retain(slot);
        *watch = (cfi_watch){.slot = slot,
                             .deliver = deliver_to_set,
                             .set = set,
                             .next = slot->watch,
                             .index = index};
        slot->watch = watch;
        if (!cfi_watch_ask(slot) || cfi_word_settled(plat_load_acquire(&slot->word))) {
            deliver_to_set(watch);
        }
        join_set(set, watch);
        begun = CFI_WATCH_BEGUN;
        cfi_assert(watch->delivered || plat_peek(&slot->announcement) == CFI_ASKED);
    }
    cfi_assert((watch->slot != NULL) == (begun == CFI_WATCH_BEGUN));
    plat_biased_lock_give(&executor->drain_lock);
    return begun;
}

void cfi_watch_take_off(cfi_watch *watch) {
    cfi_assert(plat_biased_lock_is_held(&cfi_executor_of(watch->slot)->drain_lock));
    cfi_watch **link = &watch->slot->watch;
    while (*link != watch) {
        cfi_assert(*link != NULL);
        link = &(*link)->next;
    }
    *link = watch->next;
}

void cfi_watch_end(cfi_watch *watch) {
    cfi_slot *slot = watch->slot;
    if (slot == NULL) {
        return;
    }
    cf_executor *executor = cfi_executor_of(slot);
    cfi_assert(watch->set != NULL); /* no callback */
    plat_biased_lock_take(&executor->drain_lock);
    cfi_watch_take_off(watch);
    plat_biased_lock_give(&executor->drain_lock);
    leave_set(watch->set, watch);
    watch->slot = NULL;
    cfi_slot_release(slot);
}

/* ---- waiting --------------------------------------------------------------------------------- */

cfi_watch *cfi_watch_set_pop(cfi_watch_set *set) {
    plat_biased_lock_take(&set->lock);
    cfi_link *link = cfi_list_take(&set->ready);
    plat_biased_lock_give(&set->lock);
    cfi_watch *watch = link != NULL ? CFI_ENTRY(link, cfi_watch, ready) : NULL;
    cfi_assert(watch == NULL || (watch->set == set && watch->slot != NULL && watch->delivered));
    return watch;
}

void cfi_watch_set_drain(cfi_watch_set *set) {
    for (size_t i = 0; i < set->executor_count; i++) {
        cfi_watch_drain(set->executors[i]);
    }
}

bool cfi_watch_set_any(cfi_watch_set *set, bool (*f)(cfi_slot *slot)) {
    plat_biased_lock_take(&set->lock);
    bool any = !cfi_list_is_empty(&set->ready);
    for (cfi_node *node = set->members.first; node != NULL && !any; node = node->next) {
        const cfi_watch *watch = CFI_ENTRY(node, cfi_watch, member);
        any = !watch->delivered &&
              (cfi_word_settled(plat_load_acquire(&watch->slot->word)) || f(watch->slot));
    }
    plat_biased_lock_give(&set->lock);
    return any;
}
