/* The different tasks that an executor was given: each is copied once, and slots name it by its
 * index.
 *
 * So a slot needs two bytes for it, the caller's cf_task and its strings may go away, and workers
 * find the function without reading the caller's memory. */
#ifndef CFUTURES_TASK_TABLE_H
#define CFUTURES_TASK_TABLE_H

#include "cfutures/queue.h"

typedef struct cfi_task_entry {
    cf_task_fn *run;
    const char *name; /* in one allocation with the entry, unless it is the default */
    const char *result_type;
} cfi_task_entry;

typedef struct cfi_task_table {
    cfi_task_entry **entries;
    uint32_t count;
    uint32_t last; /* found last: most programs have one task */
} cfi_task_table;

/* The task's index, entering it if it is new; false when there is no memory or the table is full.
 * Under the executor's lock. */
bool cfi_task_table_find(cfi_task_table *table, cfi_queue *queue, const cf_task *task,
                         uint16_t *index);
void cfi_task_table_free(cfi_task_table *table);

#endif
