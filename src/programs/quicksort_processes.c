/* As many tasks as there are processors, each in a process of its own. */
#include "programs/base/output.h"
#include "programs/demo/demo.h"
#include "programs/demo/sort_job.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int run_sort(const void *arg, void *result, cf_task_context *context) {
    (void)result, (void)context;
    const sort_job *job = arg;
    char title[64];
    snprintf(title, sizeof title, "[Task %d] process %d", getpid(), job->number);
    return sort_job_do(job, title);
}

int main(int argc, char **argv) {
    demo_prepare("Sorts ten numbers in each of as many processes as there are processors."
                 "\v" DEMO_EXIT_DOC,
                 NULL, NULL, NULL, argc, argv);

    char head[64];
    int length =
        snprintf(head, sizeof head, "__name__ :  __main__\n[Main %d] process...\n", getpid());
    output_write(head, (size_t)length);

    cf_executor *pool;
    observing *observed = demo_observe("process", 0);
    const cf_pool_options options = {.max_tasks_per_worker = 1, /* a new process for each task */
                                     .observer = observing_observer(observed)};
    demo_require(cf_process_pool_create(&options, &pool), "create the pool");
    observing_executor(observed, pool);
    sort_job_map(pool, run_sort, cf_cpu_count(NULL));
    return demo_end(pool, observed);
}
