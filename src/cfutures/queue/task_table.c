#include "cfutures/queue/task_table.h"

#include "platform/assert.h"
#include "platform/refusal.h"

#include <stdlib.h>
#include <string.h>

const char cfi_task_default_name[] = "task";
const char cfi_task_default_result_type[] = "bytes";

static size_t size_of(const char *string) {
    return string != NULL ? strlen(string) + 1 : 0;
}

static cfi_task_entry *make_entry(const cf_task *task) {
    size_t name_size = size_of(task->name);
    size_t type_size = size_of(task->result_type);
    cfi_task_entry *entry = plat_noted(malloc(sizeof *entry + name_size + type_size));
    if (entry != NULL) {
        char *strings = (char *)(entry + 1);
        *entry = (cfi_task_entry){task->run, cfi_task_default_name, cfi_task_default_result_type};
        if (task->name != NULL) {
            entry->name = memcpy(strings, task->name, name_size);
        }
        if (task->result_type != NULL) {
            entry->result_type = memcpy(strings + name_size, task->result_type, type_size);
        }
    }
    return entry;
}

static bool grow(cfi_task_table *table) {
    if ((table->count & (table->count - 1)) != 0) { /* there is room up to the next power of two */
        return true;
    }
    size_t room = table->count == 0 ? 1 : (size_t)table->count * 2;
    cfi_task_entry **entries = plat_noted(realloc(table->entries, room * sizeof *entries));
    if (entries == NULL) {
        return false;
    }
    table->entries = entries;
    return true;
}

static bool enter(cfi_task_table *table, cfi_queue *queue, const cf_task *task) {
    if (table->count == CFI_TASKS_MAX) {
        plat_refusal_note_limit();
        return false;
    }
    if (!grow(table)) {
        return false;
    }
    cfi_assert(task->run != NULL && plat_peek(&queue->tasks[table->count]) == NULL);
    cfi_task_entry *entry = make_entry(task);
    if (entry == NULL) {
        return false;
    }
    table->entries[table->count] = entry;
    plat_store_relaxed(&queue->tasks[table->count], task->run); /* ordered by the slot's word */
    table->last = table->count++;
    return true;
}

bool cfi_task_table_search(cfi_task_table *table, cfi_queue *queue, const cf_task *task,
                           uint16_t *index) {
    uint32_t i = 0;
    while (i < table->count && !cfi_task_entry_is(table->entries[i], task)) {
        i++;
    }
    table->last = i;
    if (i == table->count && !enter(table, queue, task)) {
        table->last = 0;
        return false;
    }
    cfi_assert(table->last < table->count && table->count <= CFI_TASKS_MAX);
    *index = (uint16_t)table->last;
    return true;
}

void cfi_task_table_free(cfi_task_table *table) {
    for (uint32_t i = 0; i < table->count; i++) {
        free(table->entries[i]);
    }
    free(table->entries);
}
