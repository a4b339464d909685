/* In place of what threads do when they end: simulated ones do it too. */
#ifndef PLATFORM_THREAD_EXIT_H
#define PLATFORM_THREAD_EXIT_H

#include "hooks.h"

#include <stdbool.h>

/* False outside of the run, where nothing ends. */
static inline bool cfi_at_thread_exit(void (*call)(void)) {
    return sim_at_thread_exit(call);
}

#endif
