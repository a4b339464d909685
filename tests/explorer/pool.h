/* An executor of simulated threads, for the scenarios, and what they have their tasks do. */
#ifndef EXPLORER_POOL_H
#define EXPLORER_POOL_H

#include "explorer.h"

#include "cfutures/core/executor.h"
#include "cfutures/queue/wakeup.h"

enum {
    TASKS_MAX = 16
};

/* The executor of the scenario that runs. */
extern cf_executor *executor;

/* Begins a run: makes the executor, whose workers have begun to look for tasks, and the thread that
 * uses it. processes: the workers may die, and `pool_supervisor` judges them. */
void pool_begin(unsigned workers, cf_pool_options options, void (*caller)(void *context));
void pool_begin_processes(unsigned workers, cf_pool_options options, void (*caller)(void *context));
/* The last worker takes no step, like a thread that the system does not run. It seems idle. */
void pool_begin_without_last(unsigned workers, cf_pool_options options,
                             void (*caller)(void *context));
/* The workers are started by what is submitted, as those of a thread pool are. */
void pool_begin_unstarted(unsigned workers, cf_pool_options options, void (*caller)(void *context));
/* The next worker that is to be started is refused, as the system may do. */
void pool_refuse_start(void);
/* Only the executor: the scenario's own threads are its workers, if it has any. */
void pool_begin_bare(unsigned workers, cf_pool_options options);
/* The same, and its tasks run elsewhere. */
void pool_begin_remote(unsigned workers, cf_pool_options options);
/* In set_up, after pool_begin_bare: makes worker `number`, from 0 up. It has begun this task (NULL = none); it
 * runs that, then all that it finds pending, and ends. Destroying the executor waits for it. Returns
 * its thread. */
unsigned pool_worker(unsigned number, cf_future *begun);
/* In set_up: the thread, which is worker `number` in all that it does, may be stopped at any of its
 * steps. It never goes on. The nursery is told, as by the kernel. */
void pool_may_stop(unsigned thread, unsigned number);
/* Begins a run whose executor is made elsewhere. */
void pool_forget(void);
/* Whether destroy has come to the end. All references were given back by then, and all slots. */
bool pool_is_freed(void);

/* Task number n: notes that it ran, and results in pool_result(n). */
extern const cf_task number_task;
/* The same, but first waits until `meeting` of them have begun. */
extern const cf_task meeting_task;

/* The same, with a step in it: its worker may die there. */
extern const cf_task stepping_task;

/* Something that the caller waits for, and who tells it. */
void pool_arrive(void);
void pool_await(unsigned how_many);

/* From set_up: the worker runs the next task to its end; or it begins that task, and its thread goes
 * on there. */
void pool_run_next(unsigned worker);
void pool_begin_next(unsigned worker);

/* The calling thread steals a forked job as this worker, and runs it. False: found none. */
bool pool_steal(unsigned worker);

/* How many tasks are pending, by the slots' words in memory at this moment. This is not a step of the
 * calling thread, which the explorer would know of: so for a check at once, not to be kept. */
unsigned pool_pending(void);

unsigned pool_runs(unsigned n);
uint64_t pool_result(unsigned n);
void pool_meet(unsigned how_many);

/* Checks that all tasks have ended and that all counts agree on it. */
void pool_check_counts(cf_stats *stats);

cf_future *pool_submit(const cf_task *task, unsigned n);
/* Waits for ever, checks the result, gives the future back. */
void pool_take_result(cf_future *future, unsigned n);

#endif
