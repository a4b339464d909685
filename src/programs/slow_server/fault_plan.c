#include "programs/slow_server/fault_plan.h"

/* The finalizer of SplitMix64 (Steele, Lea, Flood 2014): each bit of the result depends on each of z. */
static uint64_t mixed(uint64_t z) {
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

/* From 0 to below 1. */
static double fraction(uint64_t random) {
    return (double)(random >> 11) * 0x1p-53;
}

fault fault_plan_next(fault_plan *plan, unsigned code) {
    const fault_settings *s = &plan->settings;
    const unsigned asked = atomic_fetch_add_explicit(&plan->asked[code], 1, memory_order_relaxed);
    const uint64_t request = mixed(mixed(s->seed + 1) + ((uint64_t)code << 32 | asked));
    const double span = (double)(s->max_delay_ns - s->min_delay_ns);
    return (fault){
        .delay_ns = s->min_delay_ns + (int64_t)(span * fraction(mixed(request + 1))),
        .is_error = fraction(mixed(request + 2)) < s->error_rate,
    };
}
