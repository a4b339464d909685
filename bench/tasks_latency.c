/* One task at a time: how long until its result is there, and what a pool costs that has none. */
#include "bench/tasks_driver.h"

#include "platform/clock.h"

#include <stdlib.h>

enum {
    WARM_UP = 100,
    IDLE_AFTER_NS = 100000000 /* workers that look for tasks before they sleep have gone to sleep */
};

static int64_t round_trip(const driver_options *options, uint64_t index) {
    const addends arg = addends_of(index);
    const int64_t start = plat_now_ns();
    const uint64_t result = options->contender->round_trip(arg);
    const int64_t passed = plat_now_ns() - start;
    check_result(options, result, arg.a + arg.b);
    return passed;
}

static int ascending(const void *one, const void *other) {
    const double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

/* Median, 99th percentile and most, in microseconds. The bench's pause is the caller's sleep. */
void measure_latency(const driver_options *options) {
    const size_t count = options->count;
    require(options, options->contender->round_trip != NULL);
    double *us = allocated(count, sizeof *us);
    open_contender(options);
    for (unsigned i = 0; i < WARM_UP; i++) {
        round_trip(options, i);
    }
    for (size_t i = 0; i < count; i++) {
        if (options->pause_us > 0) {
            sleep_ns((int64_t)options->pause_us * 1000);
        }
        us[i] = (double)round_trip(options, i) / 1000;
    }
    options->contender->close();
    qsort(us, count, sizeof *us, ascending);
    print_head(options);
    print_figures("median", &us[count / 2], 1);
    print_figures("p99", &us[count - 1 - count / 100], 1);
    print_figures("most", &us[count - 1], 1);
    print_end();
    free(us);
}

/* Has been used, and waits: from the first look to the second, which is when whoever looks likes. */
void measure_idle(const driver_options *options) {
    require(options, options->contender->round_trip != NULL);
    open_contender(options);
    for (size_t i = 0; i < options->count; i++) {
        round_trip(options, i);
    }
    sleep_ns(IDLE_AFTER_NS);
    look_at_me(options->count);
    look_at_me(options->count);
    options->contender->close();
    print_head(options);
    print_end();
}
