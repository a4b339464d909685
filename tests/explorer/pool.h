/* An executor of simulated threads, for the scenarios, and what they have their tasks do. */
#ifndef EXPLORER_POOL_H
#define EXPLORER_POOL_H

#include "explorer.h"

#include "cfutures/executor.h"

enum {
    TASKS_MAX = 16
};

/* Begins a scenario: nothing has run yet. */
void pool_begin(void);

/* workers at most; they are started by submit, or at once by pool_start_workers. processes: they
 * may die, and share the region. */
cf_executor *pool_create(unsigned workers, bool processes, cf_pool_options options);
void pool_start_workers(cf_executor *executor);
/* Stands in for the supervisor of processes: judges who has died, and starts a successor. */
void pool_supervise(void *executor);
/* Whether destroy has come to the end. */
bool pool_is_freed(void);

/* Task number n: notes that it ran, and results in pool_result(n). */
extern const cf_task number_task;
/* The same, but first waits until `meeting` of them have begun. */
extern const cf_task meeting_task;

unsigned pool_runs(unsigned n);
uint64_t pool_result(unsigned n);
void pool_meet(unsigned how_many);

cf_future *pool_submit(cf_executor *executor, const cf_task *task, unsigned n);
/* Waits for ever, checks the result, gives the future back. */
void pool_take_result(cf_future *future, unsigned n);

#endif
