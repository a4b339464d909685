/* Tasks that wait, and endless ones: what memory they take is seen from outside, in between. */
#include "bench/tasks_driver.h"

#include "platform/clock.h"

#include <stdlib.h>

/* All workers are held by a task each, while so many others are submitted. */
void measure_memory(const driver_options *options) {
    const task_contender *one = options->contender;
    require(options, one->block != NULL);
    gate_open();
    open_contender(options);
    const submit_job job = submit_job_of(options);
    one->block(options->workers);
    gate_await(options->workers);
    look_at_me(0);
    one->submit(&job);
    look_at_me(job.count);
    gate_release(options->workers);
    check_result(options, one->collect(&job), sum_of_addends(job.count));
    one->close();
    print_head(options);
    print_end();
    free(job.memory);
}

static int64_t looked_at_ns;

static void look_at_stream(uint64_t done) {
    looked_at_ns += look_at_me(done);
}

/* Looked at ten times on its way, of which the first is its beginning; and at its end. */
void measure_stream(const driver_options *options) {
    const task_contender *one = options->contender;
    const uint64_t count = options->count;
    require(options, one->stream != NULL);
    open_contender(options);
    const int64_t start = plat_now_ns();
    const uint64_t sum = one->stream(count, count < 10 ? 1 : (count + 9) / 10, look_at_stream);
    const double ns = (double)(plat_now_ns() - start - looked_at_ns) / (double)count;
    check_result(options, sum, sum_below(count) + count);
    look_at_me(count);
    one->close();
    print_head(options);
    print_figures("ns", &ns, 1);
    print_end();
}
