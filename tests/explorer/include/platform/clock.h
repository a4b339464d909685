/* In place of the clock: it stands still but for pauses (spin.h), for waits that end at their
 * deadline, and for sim_pass. */
#ifndef PLATFORM_CLOCK_H
#define PLATFORM_CLOCK_H

#include "hooks.h"

#include <stdint.h>

static inline int64_t plat_now_ns(void) {
    return sim_now_ns();
}

static inline int64_t plat_deadline_ns(int64_t timeout_ns) {
    if (timeout_ns < 0) {
        return -1;
    }
    int64_t now = plat_now_ns();
    return timeout_ns > INT64_MAX - now ? INT64_MAX : now + timeout_ns;
}

static inline int64_t plat_timeout_ns(int64_t deadline_ns) {
    if (deadline_ns < 0) {
        return -1;
    }
    int64_t left_ns = deadline_ns - plat_now_ns();
    return left_ns > 0 ? left_ns : 0;
}

#endif
