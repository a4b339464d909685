/* The two sleeps: until one task is over, and until one of many is.
 *
 *      one    looks for a while, then sleeps on the slot's own word; the settler wakes it (WAITED)
 *      many   drains the completion stacks itself, then sleeps on the bell of the process
 *
 * A task in another process may overwrite the words of a task that is waited for, and nobody wakes
 * the sleeper then. So it looks at them once a second.
 *
 * Inside a task a thread first runs what it waits for. A wait there that could never end is refused
 * (waiting/nested.h). */
#ifndef CFUTURES_AWAIT_H
#define CFUTURES_AWAIT_H

#include "cfutures/waiting/watch.h"

/* The rest of cfi_await_future, after a look that found the task unsettled. */
cf_status cfi_await_longer(cf_future *future, int64_t timeout_ns, uint64_t *word);

/* Waits until the task is over; *word is its last word, read with acquire. CF_ETIMEDOUT;
 * CF_EDEADLOCK inside a task. A timeout of 0 looks once; a negative one waits forever. */
static inline cf_status cfi_await_future(cf_future *future, int64_t timeout_ns, uint64_t *word) {
    *word = plat_load_acquire(&cfi_slot_of(future)->word);
    if (cfi_word_is_over(*word)) {
        return CF_OK;
    }
    return timeout_ns == 0 ? CF_ETIMEDOUT : cfi_await_longer(future, timeout_ns, word);
}

/* Waits for the set's next watch whose slot is settled. CF_ETIMEDOUT when the deadline has passed
 * (negative = never), CF_EDEADLOCK inside a task. At poll_ns (negative = never) it returns CF_OK
 * with *watch NULL, so that the caller can look at something else and wait again. At least one
 * watch must not have been handed out. One thread at a time. */
cf_status cfi_await_set(cfi_watch_set *set, int64_t deadline_ns, int64_t poll_ns,
                        cfi_watch **watch);

#endif
