/* A process pool whose processes are simulated threads.
 *
 * The pool and its supervisor are src/executors/process_pool.c. The nursery is a model: it reaps,
 * forks and kills in nursery.c's order. The kernel tells nursery and supervisor of deaths. */
#ifndef EXPLORER_PROCESSES_H
#define EXPLORER_PROCESSES_H

#include "pool.h"

typedef enum mortals {
    NOBODY_DIES, /* unless it is killed */
    A_WORKER_DIES,
    THE_NURSERY_DIES,
} mortals;

/* Begins a run: makes a pool whose workers are alive, and the thread that uses it. workers = 0: the
 * first submit starts the only worker. */
void processes_begin(unsigned workers, cf_pool_options options, mortals who,
                     void (*caller)(void *context));
/* From now on the system refuses the nursery each fork, or no longer. After begin. */
void processes_refuse_forks(void);
void processes_allow_forks(void);
/* Lives of this worker so far: 1, and one more for each successor. The life that the nursery killed
 * last: 0 = none. */
unsigned processes_life(unsigned worker);
unsigned processes_killed_life(void);
/* Whether destroy has come to the end. */
bool processes_are_forgotten(void);

#endif
