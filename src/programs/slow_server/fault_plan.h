/* Which request is delayed, by how much, and which is answered with an error: drawn from a seed, the
 * code asked for and how often that was asked for before, and from nothing else. So two runs with one
 * seed treat the nth request for a code alike, in whatever order requests come. */
#ifndef PROGRAMS_FAULT_PLAN_H
#define PROGRAMS_FAULT_PLAN_H

#include "programs/slow_server/flag_path.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct fault_settings {
    int64_t min_delay_ns; /* from there to the next evenly */
    int64_t max_delay_ns;
    double error_rate; /* 0 to 1 */
    uint64_t seed;
} fault_settings;

typedef struct fault {
    int64_t delay_ns;
    bool is_error;
} fault;

typedef struct fault_plan {
    fault_settings settings;
    /* How often each code was asked for, and what is no flag's path. Relaxed: nothing hangs on them. */
    atomic_uint asked[FLAG_CODES + 1];
} fault_plan;

/* For a request for that code, or for FLAG_NO_CODE. Every thread may call it at any time. */
fault fault_plan_next(fault_plan *plan, unsigned code);

#endif
