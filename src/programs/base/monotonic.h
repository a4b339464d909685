/* The clock of all our times, the same for every process of the machine. */
#ifndef PROGRAMS_MONOTONIC_H
#define PROGRAMS_MONOTONIC_H

#include <stdint.h>
#include <time.h>

static inline int64_t monotonic_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* For people. */
static inline double seconds(int64_t ns) {
    return (double)ns / 1e9;
}

#endif
