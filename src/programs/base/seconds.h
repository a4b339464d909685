/* Nanoseconds, as people read them. */
#ifndef PROGRAMS_SECONDS_H
#define PROGRAMS_SECONDS_H

#include <stdint.h>

static inline double seconds(int64_t ns) {
    return (double)ns / 1e9;
}

#endif
