/* Tables of runs as programs leave them, and as none should: for the tests of what is made of them. */
#ifndef TESTS_RUN_TABLES_H
#define TESTS_RUN_TABLES_H

#include "programs/timeline/run_table.h"

typedef struct run_table_kind {
    const char *name;
    void (*make)(run_table *table); /* of all zeros */
} run_table_kind;

extern const run_table_kind RUN_TABLE_KINDS[];
extern const size_t RUN_TABLE_KINDS_COUNT;

/* Ends the process if there is no such kind. run_table_free is the caller's. */
void run_table_of_kind(run_table *table, const char *name);

#endif
