/* In place of the mark of a process: there is but one. */
#ifndef PLATFORM_FORK_MARK_H
#define PLATFORM_FORK_MARK_H

#include "platform/atomic.h"

#include <stdbool.h>
#include <stdint.h>

static inline uint64_t plat_fork_mark(void) {
    return 1;
}

static inline bool plat_fork_mark_is_ours(uint64_t mark) {
    return mark == 1;
}

static inline bool plat_fork_mark_is_first(void) {
    return true;
}

#endif
