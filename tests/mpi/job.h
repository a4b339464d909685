/* A program whose ranks do what a test asks for: mpi_job CASE [OPTION=VALUE]... Rank 0 prints what it has found out,
 * "rank R: ..." before a failure. Exit code 1: a check has failed, or an executor was not created.
 *
 * The ledger is a file that all ranks of a machine map: tasks note there that they run, and wait there for the test. */
#ifndef TESTS_MPI_JOB_H
#define TESTS_MPI_JOB_H

#include "support.h"

#include <cfutures_mpi.h>
#include <stdio.h>

enum {
    LEDGER_RUNS = 1 << 18
};

/* test_lost.py and others read and write it: the first four numbers. */
typedef struct ledger {
    counter begun; /* runs */
    counter ended;
    counter gate;
    counter reached;                    /* what a case says that it means */
    _Atomic uint32_t runs[LEDGER_RUNS]; /* of the task with that number */
} ledger;

/* Named as on the command line. */
typedef struct job_options {
    cf_mpi_options mpi; /* silence, gather: seconds; workers, threads, rank_0 */
    size_t count;       /* count: tasks */
    size_t map;         /* map: items of a map */
    int64_t task_ns;    /* us: microseconds that a task takes, asleep */
    int64_t before_ns;  /* before: seconds that a case waits with what it does */
    const char *module; /* library: to be loaded in rank 0 alone */
    int level;          /* level: of MPI_THREAD_..., with which the program initialises MPI */
    unsigned random;    /* random: seed */
} job_options;

extern job_options job;
extern ledger *shared; /* of the file CF_TEST_LEDGER; else of this process */

typedef struct job_case {
    const char *name;
    void (*run)(void); /* in each rank */
} job_case;

extern const job_case create_cases[], life_cases[], task_cases[], work_cases[];

/* ---- what cases do --------------------------------------------------------------------------- */

int own_rank(void); /* as mpirun says; no call of MPI */

/* True in rank 0, with an executor. False in the others, which have served then. Failure ends the
 * program. */
bool lead(const cf_pool_options *options, cf_executor **executor);

/* Prints what is wrong and where. The program's exit code will be 1. */
#define CHECK(condition) ((condition) ? (void)0 : complain(__FILE__, __LINE__, #condition))
/* The same for numbers, which it prints. */
#define CHECK_EQUAL(is, expected)                                                                  \
    ((long long)(is) == (long long)(expected)                                                      \
         ? (void)0                                                                                 \
         : complain_of(__FILE__, __LINE__, #is, (long long)(is), (long long)(expected)))
void complain(const char *file, int line, const char *what);
void complain_of(const char *file, int line, const char *what, long long is, long long expected);

/* Sleeps. Of tasks: it is what they do, and nobody waits for another by it. */
void pause_for(int64_t ns);

/* Submits, and ends the program if that fails. */
cf_future *submit(cf_executor *executor, const cf_task *task, const void *arg);

/* How the task ends, within LONG_WAIT. */
cf_exception ending_of(cf_future *future);

/* uint64_t i -> answer_to(i). Notes its run in the ledger and takes job.task_ns. */
extern const cf_task note_task;
uint64_t answer_to(uint64_t number);

/* Submits a few of these and checks them: the executor works. */
void check_works(cf_executor *executor);

#endif
