/* Twice as many tasks as there are processors, on a pool of threads. */
#include "programs/base/output.h"
#include "programs/demo/demo.h"
#include "programs/demo/sort_job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int run_sort(const void *arg, void *result, cf_task_context *context) {
    (void)result, (void)context;
    const sort_job *job = arg;
    char title[64];
    snprintf(title, sizeof title, "[Task %d] process...", job->number);
    return sort_job_do(job, title);
}

int main(int argc, char **argv) {
    demo_prepare("Sorts ten numbers in each of twice as many tasks as there are processors, on "
                 "threads.\v" DEMO_EXIT_DOC,
                 NULL, NULL, argc, argv);

    static const char HEAD[] = "[Main] process...\n";
    output_write(HEAD, strlen(HEAD));

    cf_executor *pool;
    demo_require(cf_thread_pool_create(NULL, &pool), "create the pool");
    sort_job_map(pool, run_sort, (size_t)cf_cpu_count(NULL) * 2);
    cf_executor_destroy(pool);
    return EXIT_SUCCESS;
}
