/* The different tasks that an executor was given. Each is copied once; slots name it by its index.
 *
 *   - A slot needs two bytes for its task, and workers find the function without reading the
 *     caller's memory. The caller's cf_task and its strings need not outlive the call.
 *   - The sizes of argument and result are not part of an entry. Each submission has its own, so
 *     data of varying length needs no task of its own. The room for a result must be known at
 *     submission, because a worker takes no memory. */
#ifndef CFUTURES_TASK_TABLE_H
#define CFUTURES_TASK_TABLE_H

#include "cfutures/queue/queue.h"

#include "platform/assert.h"

typedef struct cfi_task_entry {
    cf_task_fn *run;
    const char *name; /* in the entry's allocation, unless it is the default */
    const char *result_type;
} cfi_task_entry;

typedef struct cfi_task_table {
    cfi_task_entry **entries;
    uint32_t count;
    uint32_t last; /* index found last: most programs have one task */
} cfi_task_table;

extern const char cfi_task_default_name[];
extern const char cfi_task_default_result_type[];

/* Without a call of strcmp: names are mostly short. */
static inline bool cfi_strings_are_equal(const char *a, const char *b) {
    while (*a == *b && *a != '\0') {
        a++;
        b++;
    }
    return *a == *b;
}

/* Compares the strings, not their addresses: the caller may have put another string there. */
static inline bool cfi_task_string_is(const char *kept, const char *given, const char *fallback) {
    return (given == NULL && kept == fallback) ||
           cfi_strings_are_equal(kept, given != NULL ? given : fallback);
}

static inline bool cfi_task_entry_is(const cfi_task_entry *entry, const cf_task *task) {
    return entry->run == task->run &&
           cfi_task_string_is(entry->name, task->name, cfi_task_default_name) &&
           cfi_task_string_is(entry->result_type, task->result_type, cfi_task_default_result_type);
}

/* Looks through the whole table, and enters the task if it is new. */
bool cfi_task_table_search(cfi_task_table *table, cfi_queue *queue, const cf_task *task,
                           uint16_t *index);

/* The task's index; a new task is entered. False: no memory, or the table is full. Under the
 * executor's lock. */
static inline bool cfi_task_table_find(cfi_task_table *table, cfi_queue *queue, const cf_task *task,
                                       uint16_t *index) {
    cfi_assert(table->count == 0 ? table->last == 0 : table->last < table->count);
    if (table->count > 0 && cfi_task_entry_is(table->entries[table->last], task)) {
        *index = (uint16_t)table->last;
        return true;
    }
    return cfi_task_table_search(table, queue, task, index);
}
void cfi_task_table_free(cfi_task_table *table);

#endif
