/* Many items: what they cost beside their own work, and how evenly they are spread. */
#include "bench/splitmix.h"
#include "bench/tasks_driver.h"
#include "platform/clock.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    CALIBRATION_STEPS = 1 << 22, /* of the busy loop, some ms */
    MIXED_LEAST_NS = 10,
    MIXED_MOST_NS = 10000000,
    LATE_TIMES = 10000 /* a long item is so many short ones */
};

/* Outputs are set, to what no item gives, before each pass: so their pages are there, and whoever leaves
 * one out is found. */
static double ns_for_all(const map_job *job, void (*map)(const map_job *job)) {
    memset(job->out, UINT8_MAX, job->count * sizeof *job->out);
    const int64_t start = plat_now_ns();
    map(job);
    return (double)(plat_now_ns() - start);
}

static void check_all(const driver_options *options, const map_job *job, const uint64_t *expected) {
    for (size_t i = 0; i < job->count; i++) {
        check_result(options, job->out[i], expected[i]);
    }
}

static int increment(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    *(uint64_t *)result = *(const uint64_t *)arg + 1;
    return 0;
}

/* A dependent multiplication a step, which no compiler can shorten. */
static int busy(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    uint64_t value = 1;
    for (uint64_t left = *(const uint64_t *)arg; left > 0; left--) {
        value = value * ADDENDS_FACTOR + left;
        __asm__ volatile("" : "+r"(value));
    }
    *(uint64_t *)result = value >> 1; /* never what outputs are set to */
    return 0;
}

/* Passes of a contender, each beside one of a plain loop over the same items by this thread: that is
 * what all items take by themselves. Nanoseconds of all items. */
static void measure_passes(const driver_options *options, map_job job) {
    const size_t passes = options->passes;
    require(options, options->contender->map != NULL);
    uint64_t *expected = allocated(job.count, sizeof *expected);
    uint64_t *out = allocated(job.count, sizeof *out);
    double *ns = allocated(2 * passes, sizeof *ns);
    open_contender(options);
    for (size_t pass = 0; pass < passes; pass++) {
        job.out = expected;
        ns[passes + pass] = ns_for_all(&job, tasks_loop.map);
        job.out = out;
        ns[pass] = ns_for_all(&job, options->contender->map);
        check_all(options, &job, expected);
    }
    options->contender->close();
    print_head(options);
    print_figures("ns", ns, passes);
    print_figures("loop", ns + passes, passes);
    print_end();
    free(expected);
    free(out);
    free(ns);
}

void measure_map(const driver_options *options) {
    uint64_t *in = allocated(options->count, sizeof *in);
    for (size_t i = 0; i < options->count; i++) {
        in[i] = i;
    }
    measure_passes(options, (map_job){.run = increment, .in = in, .count = options->count});
    free(in);
}

/* ---- items that take their time -------------------------------------------------------------- */

/* The fastest of several: what disturbs a loop only makes it slower. */
static double steps_in_ns(void) {
    double least = INFINITY;
    for (int i = 0; i < 5; i++) {
        const uint64_t steps = CALIBRATION_STEPS;
        uint64_t result;
        const int64_t start = plat_now_ns();
        busy(&steps, &result, NULL);
        const double passed = (double)(plat_now_ns() - start);
        least = passed < least ? passed : least;
    }
    return CALIBRATION_STEPS / least;
}

/* P(more than x) = least / x, up to the most: few items, and each decade with the same share of all
 * the time. */
static double mixed_ns(uint64_t *random) {
    const double share = (double)(splitmix(random) >> 11) / (double)(UINT64_C(1) << 53);
    const double ns = MIXED_LEAST_NS / (1 - share);
    return ns < MIXED_MOST_NS ? ns : MIXED_MOST_NS;
}

/* The short ones take as long as the long ones that follow them. */
static size_t late_items(size_t count) {
    const size_t late = count / (LATE_TIMES + 1);
    return late > 0 ? late : 1;
}

void measure_balance(const driver_options *options) {
    const size_t count = options->count, late = late_items(count);
    const double steps = steps_in_ns();
    uint64_t random = options->seed;
    uint64_t *in = allocated(count, sizeof *in);
    for (size_t i = 0; i < count; i++) {
        double ns = options->item_ns;
        if (options->shape == SHAPE_MIXED) {
            ns = mixed_ns(&random);
        } else if (options->shape == SHAPE_LATE && i >= count - late) {
            ns *= LATE_TIMES;
        }
        in[i] = (uint64_t)(ns * steps);
    }
    measure_passes(options, (map_job){.run = busy, .in = in, .count = count});
    free(in);
}
