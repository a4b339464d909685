/* Twice as many tasks as there are processors, on a pool of threads; or one array, whose parts the
 * threads take from each other. */
#include "platform/clock.h"
#include "programs/base/output.h"
#include "programs/demo/demo.h"
#include "programs/demo/quicksort.h"
#include "programs/demo/sort_job.h"

#include <cfutures_fork.h>

#include <errno.h>
#include <error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- ten numbers in each task ---------------------------------------------------------------- */

static int run_sort(const void *arg, void *result, cf_task_context *context) {
    (void)result, (void)context;
    const sort_job *job = arg;
    char title[64];
    snprintf(title, sizeof title, "[Task %d] process...", job->number);
    return sort_job_do(job, title);
}

/* ---- one array ------------------------------------------------------------------------------- */

#define ARRAY_VALUES 1000000

enum {
    SHOWN = 5 /* at either end of the array */
};

static void sort_array(cf_strand *strand, void *job) {
    quicksort_recursive(strand, job, ARRAY_VALUES);
}

/* "before [1, 2, 3, 4, 5, ..., 6, 7, 8, 9, 10]" */
static void show_ends(const char *word, const int *values) {
    char line[256];
    int used = snprintf(line, sizeof line, "%s [", word);
    for (int i = 0; i < SHOWN; i++) {
        used += snprintf(line + used, sizeof line - (size_t)used, "%d, ", values[i]);
    }
    used += snprintf(line + used, sizeof line - (size_t)used, "...");
    for (int i = ARRAY_VALUES - SHOWN; i < ARRAY_VALUES; i++) {
        used += snprintf(line + used, sizeof line - (size_t)used, ", %d", values[i]);
    }
    used += snprintf(line + used, sizeof line - (size_t)used, "]\n");
    output_write(line, (size_t)used);
}

static int64_t sum_of(const int *values) {
    int64_t sum = 0;
    for (size_t i = 0; i < ARRAY_VALUES; i++) {
        sum += values[i];
    }
    return sum;
}

static bool is_ascending(const int *values) {
    size_t i = 1;
    while (i < ARRAY_VALUES && values[i - 1] <= values[i]) {
        i++;
    }
    return i == ARRAY_VALUES;
}

static void sort_one_array(cf_executor *pool) {
    static const char TITLE[] = "[Main] one array of " STRING(ARRAY_VALUES) " numbers\n";
    output_write(TITLE, strlen(TITLE));

    int *values = calloc(ARRAY_VALUES, sizeof *values);
    if (values == NULL) {
        error(EXIT_ITEM, ENOMEM, "the numbers");
    }
    srandom((unsigned)plat_now_ns());
    for (size_t i = 0; i < ARRAY_VALUES; i++) {
        values[i] = (int)random();
    }
    const int64_t sum = sum_of(values);
    show_ends("before", values);
    demo_require(cf_executor_run(pool, sort_array, values, NULL), "sort");
    show_ends("after", values);
    if (!is_ascending(values) || sum_of(values) != sum) {
        error(EXIT_ITEM, 0, "the numbers are not sorted");
    }
    static const char SORTED[] = "sorted: yes\n";
    output_write(SORTED, strlen(SORTED));
    free(values);
}

/* ---- main ------------------------------------------------------------------------------------ */

int main(int argc, char **argv) {
    bool recursive = false;
    const command_line_option options[] = {
        {"recursive", 'r',
         .doc = "Sort one array of " STRING(
             ARRAY_VALUES) " numbers instead, by recursion, where "
                           "threads without work take parts from the others",
         .flag = &recursive},
        {0},
    };
    demo_prepare("Sorts ten numbers in each of twice as many tasks as there are processors, on "
                 "threads.\v" DEMO_EXIT_DOC,
                 NULL, options, NULL, argc, argv);

    static const char HEAD[] = "[Main] process...\n";
    output_write(HEAD, strlen(HEAD));

    cf_executor *pool;
    observing *observed = demo_observe("thread", 0);
    const cf_pool_options pool_options = {.observer = observing_observer(observed)};
    demo_require(cf_thread_pool_create(&pool_options, &pool), "create the pool");
    observing_executor(observed, pool);
    if (recursive) {
        sort_one_array(pool);
    } else {
        sort_job_map(pool, run_sort, (size_t)cf_cpu_count(NULL) * 2);
    }
    return demo_end(pool, observed);
}
