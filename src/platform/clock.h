/* Nanoseconds on CLOCK_MONOTONIC, the same clock in every process of the machine. */
#ifndef PLATFORM_CLOCK_H
#define PLATFORM_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t plat_now_ns(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* The time timeout_ns from now. Negative, for forever, stays negative. */
static inline int64_t plat_deadline_ns(int64_t timeout_ns) {
    if (timeout_ns < 0) {
        return -1;
    }
    int64_t now = plat_now_ns();
    return timeout_ns > INT64_MAX - now ? INT64_MAX : now + timeout_ns;
}

/* The time left until then: 0 if it has passed, negative if it is never. */
static inline int64_t plat_timeout_ns(int64_t deadline_ns) {
    if (deadline_ns < 0) {
        return -1;
    }
    int64_t left_ns = deadline_ns - plat_now_ns();
    return left_ns > 0 ? left_ns : 0;
}

#endif
