#include "programs/timeline/run_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for one more of `count` things at *list. False: there is no memory. */
static bool make_room(run_table *table, void *list, size_t count, size_t size) {
    if (count != 0 && (count & (count - 1)) != 0) {
        return true; /* rooms are powers of 2 */
    }
    void *old, *larger;
    memcpy(&old, list, sizeof old);
    larger = reallocarray(old, count == 0 ? 1 : count * 2, size);
    if (larger == NULL) {
        table->no_memory = true;
        return false;
    }
    memcpy(list, &larger, sizeof larger);
    return true;
}

uint32_t run_table_name(run_table *table, const char *name) {
    for (size_t i = table->names_count; i-- > 0;) {
        if (table->names[i] == name || strcmp(table->names[i], name) == 0) {
            return (uint32_t)i;
        }
    }
    if (!make_room(table, &table->names, table->names_count, sizeof *table->names)) {
        return 0;
    }
    table->names[table->names_count] = name;
    return (uint32_t)table->names_count++;
}

uint32_t run_table_reason(run_table *table, const char *text) {
    if (text == NULL) {
        return 0;
    }
    for (size_t i = table->reasons_count; i-- > 0;) {
        if (strcmp(table->reasons[i], text) == 0) {
            return (uint32_t)i + 1;
        }
    }
    char *copy = strdup(text);
    table->no_memory = table->no_memory || copy == NULL;
    if (copy == NULL ||
        !make_room(table, &table->reasons, table->reasons_count, sizeof *table->reasons)) {
        free(copy);
        return 0;
    }
    table->reasons[table->reasons_count++] = copy;
    return (uint32_t)table->reasons_count;
}

void run_table_add_run(run_table *table, const run_entry *run) {
    if (table->runs_count >= table->most ||
        !make_room(table, &table->runs, table->runs_count, sizeof *table->runs)) {
        table->runs_left_out++;
        return;
    }
    table->runs[table->runs_count++] = *run;
}

void run_table_add_result(run_table *table, uint64_t item, const char *label, int64_t handed_ns) {
    if (table->results_count >= table->most ||
        !make_room(table, &table->results, table->results_count, sizeof *table->results)) {
        table->results_left_out++;
        return;
    }
    run_result *result = &table->results[table->results_count++];
    *result = (run_result){.item = item, .handed_ns = handed_ns};
    snprintf(result->label, sizeof result->label, "%s", label);
}

size_t run_table_add_worker(run_table *table, const run_worker *life) {
    if (!make_room(table, &table->lives, table->lives_count, sizeof *table->lives)) {
        return SIZE_MAX;
    }
    table->lives[table->lives_count] = *life;
    return table->lives_count++;
}

void run_table_free(run_table *table) {
    while (table->reasons_count > 0) {
        free(table->reasons[--table->reasons_count]);
    }
    free(table->reasons);
    free(table->names);
    free(table->runs);
    free(table->results);
    free(table->lives);
    table->names = NULL;
    table->reasons = NULL;
    table->runs = NULL;
    table->results = NULL;
    table->lives = NULL;
    table->names_count = table->runs_count = table->results_count = table->lives_count = 0;
}
