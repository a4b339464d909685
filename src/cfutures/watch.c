#include "cfutures/watch.h"

#include "cfutures/completion.h"

#include <stdlib.h>

/* ---- delivering ------------------------------------------------------------------------------ */

/* A watch may be reached twice: when it begins on a settled slot, and when that slot is reaped. */
static void deliver(cfi_watch *watch) {
    cfi_watch_set *set = watch->set;
    cfi_lock_take(&set->lock);
    if (!watch->delivered) {
        watch->delivered = true;
        watch->next_ready = NULL;
        if (set->ready_first == NULL) {
            set->ready_first = watch;
        } else {
            set->ready_last->next_ready = watch;
        }
        set->ready_last = watch;
    }
    cfi_lock_give(&set->lock);
}

static void collect(cfi_slot *slot) {
    cfi_store_relaxed(&slot->announcement, CFI_COLLECTED);
    for (cfi_watch *watch = slot->watch; watch != NULL; watch = watch->next) {
        deliver(watch);
    }
    cfi_slot_release(slot); /* the stack's reference */
}

static void reap_locked(cf_executor *executor) {
    uint32_t first = cfi_completion_take(&executor->queue);
    while (first != 0) {
        cfi_slot *slot = cfi_queue_slot(&executor->queue, first - 1);
        first = slot->next_done;
        collect(slot);
    }
}

/* Who sleeps on a set that we delivered to, while we wait on another, is woken by the bell. */
void cfi_watch_reap(cf_executor *executor) {
    if (!cfi_completion_any(&executor->queue)) {
        return;
    }
    cfi_lock_take(&executor->reap_lock);
    reap_locked(executor);
    cfi_lock_give(&executor->reap_lock);
    cfi_bell_ring(executor->queue.bell);
}

void cfi_watch_reap_orphan(cf_executor *executor, cfi_slot *slot, unsigned worker) {
    cfi_lock_take(&executor->reap_lock);
    reap_locked(executor);
    uint64_t word = cfi_load_acquire(&slot->word);
    if (cfi_load_relaxed(&slot->announcement) == CFI_ASKED &&
        cfi_word_phase(word) == CFI_FINISHED && cfi_word_owner(word) == worker) {
        collect(slot);
    }
    cfi_lock_give(&executor->reap_lock);
    cfi_bell_ring_always(executor->queue.bell);
}

/* ---- watching -------------------------------------------------------------------------------- */

bool cfi_watch_set_init(cfi_watch_set *set) {
    *set = (cfi_watch_set){.bell = cfi_bell_of_process()};
    cfi_lock_init(&set->lock);
    return set->bell != NULL;
}

void cfi_watch_set_fini(cfi_watch_set *set) {
    cfi_lock_destroy(&set->lock);
    free(set->executors);
}

static bool know_executor(cfi_watch_set *set, cf_executor *executor) {
    for (size_t i = set->executor_count; i > 0; i--) {
        if (set->executors[i - 1] == executor) {
            return true;
        }
    }
    cf_executor **executors =
        realloc(set->executors, (set->executor_count + 1) * sizeof *executors);
    if (executors == NULL) {
        return false;
    }
    executors[set->executor_count++] = executor;
    set->executors = executors;
    cfi_watch_reap(executor); /* what earlier sets left there */
    return true;
}

static bool is_watched_by(const cfi_slot *slot, const cfi_watch_set *set) {
    for (const cfi_watch *watch = slot->watch; watch != NULL; watch = watch->next) {
        if (watch->set == set) {
            return true;
        }
    }
    return false;
}

/* Asks the settler to announce the slot. False when it is settled. */
static bool ask(cfi_slot *slot) {
    uint64_t word;
    if (cfi_load_relaxed(&slot->announcement) != CFI_NOT_ASKED) {
        return !cfi_word_settled(cfi_load_acquire(&slot->word));
    }
    cfi_slot_retain(slot); /* before the settler can push it */
    if (cfi_slot_flag(slot, CFI_WATCHED, &word)) {
        cfi_store_relaxed(&slot->announcement, CFI_ASKED);
        return true;
    }
    cfi_slot_release(slot); /* never the last one: the caller has his own */
    return false;
}

cfi_watch_begun cfi_watch_begin(cfi_watch_set *set, cfi_watch *watch, cfi_slot *slot,
                                size_t index) {
    cf_executor *executor = cfi_executor_of(slot);
    watch->slot = NULL;
    if (!know_executor(set, executor)) {
        return CFI_WATCH_NO_MEMORY;
    }
    cfi_watch_begun begun = CFI_WATCH_DUPLICATE;
    cfi_lock_take(&executor->reap_lock);
    if (!is_watched_by(slot, set)) {
        cfi_slot_retain(slot);
        *watch = (cfi_watch){.slot = slot, .set = set, .next = slot->watch, .index = index};
        slot->watch = watch;
        if (!ask(slot)) {
            deliver(watch);
        }
        begun = CFI_WATCH_BEGUN;
    }
    cfi_lock_give(&executor->reap_lock);
    return begun;
}

void cfi_watch_end(cfi_watch *watch) {
    cfi_slot *slot = watch->slot;
    if (slot == NULL) {
        return;
    }
    cf_executor *executor = cfi_executor_of(slot);
    cfi_lock_take(&executor->reap_lock);
    cfi_watch **link = &slot->watch;
    while (*link != watch) {
        link = &(*link)->next;
    }
    *link = watch->next;
    cfi_lock_give(&executor->reap_lock);
    watch->slot = NULL;
    cfi_slot_release(slot);
}

/* ---- waiting --------------------------------------------------------------------------------- */

static cfi_watch *pop_ready(cfi_watch_set *set) {
    cfi_lock_take(&set->lock);
    cfi_watch *watch = set->ready_first;
    if (watch != NULL) {
        set->ready_first = watch->next_ready;
    }
    cfi_lock_give(&set->lock);
    return watch;
}

void cfi_watch_set_reap(cfi_watch_set *set) {
    for (size_t i = 0; i < set->executor_count; i++) {
        cfi_watch_reap(set->executors[i]);
    }
}

static cfi_watch *reap_and_pop(cfi_watch_set *set) {
    cfi_watch_set_reap(set);
    return pop_ready(set);
}

cfi_watch *cfi_watch_set_next(cfi_watch_set *set, int64_t deadline_ns) {
    cfi_watch *watch = pop_ready(set);
    bool in_time = true;
    while (watch == NULL && in_time) {
        uint32_t rung = cfi_bell_listen(set->bell);
        watch = reap_and_pop(set);
        if (watch == NULL && !cfi_bell_sleep(set->bell, rung, deadline_ns)) {
            in_time = false;
            watch = reap_and_pop(set);
        }
    }
    return watch;
}
