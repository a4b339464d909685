/* What a program with workers has done: each run of each task, each result that it handed out, each worker.
 * The trace and the report are made of it.
 *
 * Times are nanoseconds of plat_now_ns (CLOCK_MONOTONIC). A table belongs to one thread at a time. It keeps at
 * most `most` runs, the first ones, and counts the others. */
#ifndef PROGRAMS_RUN_TABLE_H
#define PROGRAMS_RUN_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum run_ending {
    RUN_OK,
    RUN_ERROR, /* its task returned an error; detail: which */
    RUN_LATE,  /* it was over its time */
    RUN_DIED,  /* its worker died; detail: as waitpid tells */
    RUN_OPEN,  /* it had not ended when the table was written */
} run_ending;

/* One attempt of one task. A task that never ran has none. */
typedef struct run_entry {
    uint64_t item;        /* first item of the task: its number in the order of submission */
    uint32_t items;       /* that it is about; 1 unless several travel together */
    uint32_t attempt;     /* from 1 */
    int64_t submitted_ns; /* of the task */
    int64_t begun_ns;
    int64_t ended_ns;
    int64_t first_byte_ns; /* of a download; 0 = none came, or no download */
    int32_t worker;        /* number, from 0 */
    int32_t detail;
    run_ending ending;
    uint32_t name;   /* index into the table's names: the task's */
    uint32_t reason; /* why it failed: index into the table's reasons, plus 1; 0 = detail says it */
} run_entry;

/* One result that the program has printed or used, in the order in which it did. */
typedef struct run_result {
    uint64_t item;
    int64_t handed_ns; /* when */
    char label[32]; /* what the user knows the item by: "7777777777777777", "BR"; cut if longer */
} run_result;

/* One life of one worker. */
typedef struct run_worker {
    int32_t number;
    int64_t id; /* of the process or thread, as the system names it; 0 = unknown */
    int64_t started_ns;
    int64_t gone_ns;     /* 0 = it was there until the end */
    int32_t wait_status; /* of a process that died, as waitpid tells; 0 = it ended as it should */
} run_worker;

typedef struct run_table {
    const char *program; /* "proc_pool" */
    const char
        *worker; /* what one worker is called: "process", "thread", "OpenMP thread", "connection" */
    unsigned workers; /* how many there may be at once */
    char why[128];    /* why so many: "2 processors may be used"; may be empty */
    bool ordered;     /* results are handed out in the order of submission, else as completed */
    int64_t begun_ns, ended_ns; /* the program's work */
    const char **names;         /* of tasks; the strings stay */
    size_t names_count;
    char **reasons; /* the table's own */
    size_t reasons_count;
    run_entry *runs; /* in the order in which they ended */
    size_t runs_count, runs_left_out;
    run_result *results;
    size_t results_count, results_left_out;
    run_worker *lives;
    size_t lives_count;
    size_t most;    /* runs and results that it keeps */
    bool no_memory; /* something is missing for want of memory */
} run_table;

#define RUN_TABLE_MOST 1000000

/* All zeros is an empty table that keeps nothing: set `most` and the first lines. */
uint32_t run_table_name(run_table *table, const char *name);
/* For run_entry.reason; keeps a copy. NULL or no memory: 0. */
uint32_t run_table_reason(run_table *table, const char *text);
void run_table_add_run(run_table *table, const run_entry *run);
void run_table_add_result(run_table *table, uint64_t item, const char *label, int64_t handed_ns);
/* Returns where it is in `lives`; SIZE_MAX: no memory. */
size_t run_table_add_worker(run_table *table, const run_worker *life);
void run_table_free(run_table *table);

#endif
