/* The work of quicksort_processes and quicksort_threads: ten numbers, sorted, and shown before and
 * after. */
#ifndef PROGRAMS_SORT_JOB_H
#define PROGRAMS_SORT_JOB_H

#include <cfutures.h>

#include <stddef.h>

enum {
    SORT_JOB_VALUES = 10
};

typedef struct sort_job {
    int number; /* from 1 */
    int values[SORT_JOB_VALUES];
} sort_job;

/* Prints the title, and what sorting does to the values: three lines, one whole. Returns 0 or an
 * error number. */
int sort_job_do(const sort_job *job, const char *title);

/* `run` has a sort_job as its argument and no result. Does `count` of them, each with values of its
 * own, and waits; ends the program if one fails. */
void sort_job_map(cf_executor *pool, cf_task_fn *run, size_t count);

#endif
