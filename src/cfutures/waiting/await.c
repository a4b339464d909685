#include "cfutures/waiting/await.h"

#include "cfutures/core/damage.h"
#include "cfutures/queue/completion.h"
#include "cfutures/queue/tuning.h"
#include "cfutures/waiting/nested.h"

#include "platform/assert.h"
#include "platform/clock.h"
#include "platform/futex.h"
#include "platform/spin.h"

/* The earlier of two points in time; a negative one means never. */
static int64_t earlier(int64_t a_ns, int64_t b_ns) {
    return a_ns < 0 || (b_ns >= 0 && b_ns < a_ns) ? b_ns : a_ns;
}

/* Until when a thread sleeps before it looks for damage. */
static int64_t until_look_ns(int64_t until_ns, bool shared) {
    return shared && CFI_DAMAGE_LOOK_NS > 0 ? earlier(until_ns, plat_now_ns() + CFI_DAMAGE_LOOK_NS)
                                            : until_ns;
}

static bool is_over(int64_t deadline_ns) {
    return deadline_ns >= 0 && plat_now_ns() >= deadline_ns;
}

/* ---- one task -------------------------------------------------------------------------------- */

/* Until until_ns at the latest. forever: the wait as a whole has no end. */
static cf_status sleep_until(cf_future *future, uint64_t word, int64_t until_ns, bool forever,
                             bool *woken) {
    cfi_blocked blocked = {.future = future};
    cfi_slot *slot = cfi_slot_of(future);
    bool shared = cfi_executor_of(future)->queue.shared;
    cfi_assert(!cfi_word_settled(word) && (word & CFI_WAITED) != 0); /* so it is woken */
    cfi_assert(!plat_biased_lock_is_held(&cfi_executor_of(future)->drain_lock));
    if (forever && !cfi_nested_block(&blocked)) {
        return CF_EDEADLOCK;
    }
    *woken = plat_futex_wait(&slot->futex, (uint32_t)word, until_ns, shared);
    if (forever) {
        cfi_nested_unblock(&blocked);
    }
    return CF_OK;
}

static cf_status sleep_on(cf_future *future, uint64_t word, int64_t deadline_ns) {
    bool shared = cfi_executor_of(future)->queue.shared;
    bool woken;
    cf_status status =
        sleep_until(future, word, until_look_ns(deadline_ns, shared), deadline_ns < 0, &woken);
    if (status != CF_OK) {
        return status;
    }
    if (!woken && shared && !cfi_damage_look_at(future)) {
        cfi_damage_look(cfi_executor_of(future));
    }
    return woken || !is_over(deadline_ns) ? CF_OK : CF_ETIMEDOUT;
}

static bool is_settled(const cf_future *future) {
    return cfi_word_is_over(plat_load_acquire(&cfi_slot_of(future)->word));
}

/* Runs something that the awaited task needs. False: found nothing. */
static bool helps(cf_future *future) {
    return cfi_nested_help(future) || cfi_nested_steal(future);
}

/* The task runs on another worker. Listens before it looks, so that it misses no ring meanwhile. */
static cf_status help_or_sleep(cf_future *future, uint64_t word) {
    cfi_blocked blocked = {.future = future};
    plat_event_count *help = &cfi_executor_of(future)->queue.control->help;
    const int64_t pause_ns = cfi_nested_pause_ns();
    if (pause_ns > 0) {
        bool woken;
        cf_status status = sleep_until(future, word, plat_now_ns() + pause_ns, true, &woken);
        if (status != CF_OK || woken) {
            return status;
        }
    }
    if (helps(future)) {
        return CF_OK;
    }
    const uint32_t seen = plat_event_listen_heavy(help, false);
    if (is_settled(future) || helps(future)) {
        return CF_OK;
    }
    if (!cfi_nested_block(&blocked)) {
        return CF_EDEADLOCK;
    }
    const int64_t poll_ns = cfi_nested_poll_ns(future);
    plat_event_sleep(help, seen, poll_ns > 0 ? plat_now_ns() + poll_ns : -1, false);
    cfi_nested_unblock(&blocked);
    if (poll_ns < 0 && !is_settled(future) && !helps(future)) {
        cfi_nested_help_was_vain();
    }
    return CF_OK;
}

/* Looks for a while: a small task is done before its waiter could fall asleep and be woken. */
static bool settles_soon(const cfi_slot *slot, uint64_t *word) {
    for (unsigned i = 0; i < CFI_WAIT_SPINS; i++) {
        *word = plat_load_acquire(&slot->word);
        if (cfi_word_settled(*word)) {
            return true;
        }
        plat_spin_pause();
    }
    return false;
}

cf_status cfi_await_longer(cf_future *future, int64_t timeout_ns, uint64_t *word) {
    int64_t deadline_ns = plat_deadline_ns(timeout_ns);
    cfi_assert(timeout_ns != 0);
    bool ran;
    cf_status status = cfi_nested_run(future, &ran);
    if (status == CF_OK && settles_soon(cfi_slot_of(future), word)) {
        return CF_OK;
    }
    const bool may_help = deadline_ns < 0 && cfi_nested_can_help(future);
    while (cfi_slot_flag(cfi_slot_of(future), CFI_WAITED, word)) {
        if (status != CF_OK) {
            return status;
        }
        status = may_help ? help_or_sleep(future, *word) : sleep_on(future, *word, deadline_ns);
    }
    cfi_assert(cfi_word_is_over(*word));
    return CF_OK;
}

/* ---- one of many ----------------------------------------------------------------------------- */

/* The same for any of many: to find one so costs little more than if it had been done already. */
static bool completes_soon(const cfi_watch_set *set) {
    for (unsigned i = 0; i < CFI_WAIT_SPINS; i++) {
        for (size_t k = 0; k < set->executor_count; k++) {
            if (cfi_completion_any(&set->executors[k]->queue)) {
                return true;
            }
        }
        plat_spin_pause();
    }
    return false;
}

static cfi_watch *drain_and_pop(cfi_watch_set *set) {
    cfi_watch_set_drain(set);
    return cfi_watch_set_pop(set);
}

static bool is_shared(const cfi_watch_set *set) {
    for (size_t i = 0; i < set->executor_count; i++) {
        if (set->executors[i]->queue.shared) {
            return true;
        }
    }
    return false;
}

/* The look once a second. */
static void look_for_damage(cfi_watch_set *set) {
    bool runs = false;
    for (cfi_node *node = set->members.first; node != NULL; node = node->next) {
        runs |= cfi_damage_look_at(CFI_ENTRY(node, cfi_watch, member)->future);
    }
    for (size_t i = 0; i < set->executor_count && !runs; i++) {
        cfi_damage_look(set->executors[i]);
    }
}

static cf_status sleep_for_bell(cfi_watch_set *set, uint32_t seen, int64_t deadline_ns,
                                int64_t poll_ns) {
    cfi_blocked blocked = {.set = set};
    int64_t until_ns = earlier(deadline_ns, poll_ns);
    int64_t look_ns = until_look_ns(until_ns, is_shared(set));
    bool forever = deadline_ns < 0; /* with looks in between, or none */
    if (forever && !cfi_nested_block(&blocked)) {
        return CF_EDEADLOCK;
    }
    bool rang = plat_event_sleep(&set->bell->event, seen, look_ns, true);
    if (forever) {
        cfi_nested_unblock(&blocked);
    }
    if (!rang && look_ns != until_ns) {
        look_for_damage(set);
        return CF_OK;
    }
    return rang ? CF_OK : CF_ETIMEDOUT;
}

cf_status cfi_await_set(cfi_watch_set *set, int64_t deadline_ns, int64_t poll_ns,
                        cfi_watch **watch) {
    cf_status status = CF_OK;
    cfi_assert(set->members.first != NULL && set->executor_count > 0);
    *watch = cfi_watch_set_pop(set);
    if (*watch == NULL && !is_over(deadline_ns) && completes_soon(set)) {
        *watch = drain_and_pop(set);
    }
    while (*watch == NULL && status == CF_OK) {
        uint32_t seen = plat_event_listen(&set->bell->event);
        *watch = drain_and_pop(set);
        if (*watch != NULL) {
            break;
        }
        bool ran = false;
        if (!is_over(deadline_ns)) {
            status = cfi_nested_run_one_of(set, &ran);
        }
        if (!ran && status == CF_OK) {
            status = sleep_for_bell(set, seen, deadline_ns, poll_ns);
        }
        if (status == CF_ETIMEDOUT) {
            *watch = drain_and_pop(set);
        }
    }
    bool looks = status == CF_ETIMEDOUT && poll_ns >= 0 && !is_over(deadline_ns);
    return *watch != NULL || looks ? CF_OK : status;
}
