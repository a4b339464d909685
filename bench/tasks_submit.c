/* Nanoseconds for each task, from submit to the release of its future. */
#include "bench/tasks_driver.h"

#include "platform/clock.h"

#include <stdlib.h>

static double ns_for_each(const driver_options *options, submit_way way, const submit_job *job) {
    const int64_t start = plat_now_ns();
    const uint64_t sum = options->contender->ways[way](job);
    const int64_t passed = plat_now_ns() - start;
    check_result(options, sum, sum_of_addends(job->count));
    return (double)passed / (double)job->count;
}

/* The first pass is the first in its process; where there is more than one way they alternate. */
void measure_submit(const driver_options *options) {
    const size_t ways = options->ways_count, passes = options->passes;
    for (size_t i = 0; i < ways; i++) {
        require(options, options->contender->ways[options->ways[i]] != NULL);
    }
    open_contender(options);
    const submit_job job = submit_job_of(options);
    double *ns = allocated(ways * passes, sizeof *ns);
    for (size_t pass = 0; pass < passes; pass++) {
        for (size_t i = 0; i < ways; i++) {
            const size_t place = pass % 2 == 0 ? i : ways - 1 - i;
            ns[place * passes + pass] = ns_for_each(options, options->ways[place], &job);
        }
    }
    options->contender->close();
    print_head(options);
    for (size_t i = 0; i < ways; i++) {
        print_figures(way_names[options->ways[i]], ns + i * passes, passes);
    }
    print_end();
    free(job.memory);
    free(ns);
}
