/* A process pool whose processes are simulated threads.
 *
 * src/executors/process_pool.c itself, with its supervisor; what is not is the nursery, of which
 * processes.c has a model: it forks, reaps and kills as nursery.c does, and in the same order. */
#ifndef EXPLORER_PROCESSES_H
#define EXPLORER_PROCESSES_H

#include "pool.h"

typedef enum mortals {
    NOBODY_DIES, /* but when told to */
    A_WORKER_DIES,
    THE_NURSERY_DIES,
} mortals;

/* Begins a run: the pool with this many workers, which are alive (0: one, which the first submit starts),
 * and the thread that uses it. */
void processes_begin(unsigned workers, cf_pool_options options, mortals who,
                     void (*caller)(void *context));
/* Which life of a worker's number it is: 1, and one more with each successor. The one that was killed on
 * request last: 0 = none. */
unsigned processes_life(unsigned worker);
unsigned processes_killed_life(void);
/* Whether destroy has come to the end. */
bool processes_are_forgotten(void);

#endif
