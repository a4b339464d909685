/* Nanoseconds since the epoch, for what people and other programs read. Intervals are measured by platform/clock.h. */
#ifndef PROGRAMS_EPOCH_H
#define PROGRAMS_EPOCH_H

#include <stdint.h>
#include <time.h>

static inline int64_t epoch_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

#endif
