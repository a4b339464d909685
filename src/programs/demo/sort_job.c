#include "programs/demo/sort_job.h"

#include "platform/clock.h"
#include "programs/base/output.h"
#include "programs/demo/demo.h"
#include "programs/demo/quicksort.h"

#include <errno.h>
#include <error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- in the task ----------------------------------------------------------------------------- */

/* "[1, 2, 3]" */
static void list_values(const int *values, char *text, size_t size) {
    size_t used = 0;
    for (size_t i = 0; i < SORT_JOB_VALUES && used < size; i++) {
        used += (size_t)snprintf(text + used, size - used, "%s%d", i == 0 ? "[" : ", ", values[i]);
    }
    if (used < size) {
        snprintf(text + used, size - used, "]");
    }
}

int sort_job_do(const sort_job *job, const char *title) {
    int sorted[SORT_JOB_VALUES];
    memcpy(sorted, job->values, sizeof sorted);
    if (!quicksort(sorted, SORT_JOB_VALUES)) {
        return ENOMEM;
    }
    char before[200], after[200], block[600];
    list_values(job->values, before, sizeof before);
    list_values(sorted, after, sizeof after);
    int length = snprintf(block, sizeof block, "%s\nbefore %s\nafter %s\n", title, before, after);
    output_write(block, (size_t)length);
    return 0;
}

/* ---- in main --------------------------------------------------------------------------------- */

/* Ascending numbers, each moved by up to 50. */
static void fill(sort_job *job, int number) {
    job->number = number;
    for (int i = 0; i < SORT_JOB_VALUES; i++) {
        job->values[i] = i + (int)(random() % 101) - 50;
    }
}

void sort_job_map(cf_executor *pool, cf_task_fn *run, size_t count) {
    const cf_task task = {.name = "quicksort", .run = run, .arg_size = sizeof(sort_job)};
    sort_job *jobs = calloc(count, sizeof *jobs);
    cf_exception *exceptions = calloc(count, sizeof *exceptions);
    if (jobs == NULL || exceptions == NULL) {
        error(EXIT_ITEM, ENOMEM, "the tasks");
    }
    srandom((unsigned)plat_now_ns());
    for (size_t i = 0; i < count; i++) {
        fill(&jobs[i], (int)i + 1);
    }

    const cf_map_options options = {.chunk = 1, .exceptions = exceptions};
    cf_status status = cf_executor_map(pool, &task, jobs, count, NULL, &options);
    for (size_t i = 0; i < count; i++) {
        demo_require_success(&exceptions[i]);
    }
    demo_require(status, "run the tasks");
    free(exceptions);
    free(jobs);
}
