/* In place of threads: simulated ones, by their number. */
#ifndef PLATFORM_THREAD_H
#define PLATFORM_THREAD_H

#include "hooks.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

static inline void plat_signals_block(sigset_t *before) {
    (void)before;
}

static inline void plat_signals_restore(const sigset_t *before) {
    (void)before;
}

static inline void plat_signals_get(sigset_t *mask) {
    (void)mask;
}

static inline bool plat_at_fork_in_child(void (*run)(void)) {
    sim_begins_process(run);
    return true;
}

static inline int plat_thread_start(pthread_t *thread, void *(*run)(void *), void *context) {
    *thread = (pthread_t)sim_attendant(run, context);
    return 0;
}

static inline void plat_thread_join(pthread_t thread) {
    sim_join((unsigned)thread);
}

#endif
