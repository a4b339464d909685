/* The ways of collecting in which steps.c has workers killed. */
#ifndef TESTS_CHAOS_STEPS_WAYS_H
#define TESTS_CHAOS_STEPS_WAYS_H

#include "tally.h"

#include <pthread.h>

enum {
    TASKS_MOST = 16
};

/* One round of a way: a few tasks, of which one waits in its function for the gate. Shared with the
 * workers. */
typedef struct round_notes {
    uint32_t gated;                     /* the task that waits */
    uint32_t late;                      /* the task that is over its time; 0 = none */
    uint32_t of_workers;                /* tasks that ended with their worker; the client counts */
    counter entered;                    /* it has begun for the first time */
    counter gate;                       /* it may return */
    counter next;                       /* the same worker has begun another task */
    _Atomic pid_t runner;               /* the process that ran the gated one */
    _Atomic uint32_t begun[TASKS_MOST]; /* how often each was begun */
} round_notes;
extern round_notes *in_round;

typedef struct pool_kind {
    unsigned workers;
    unsigned retries;
    bool may_break; /* the nursery is killed */
} pool_kind;

typedef struct way {
    const char *name;
    void (*options)(cf_pool_options *options);
    /* Submits the round's tasks and collects them all. Counts what is wrong. */
    void (*run)(cf_executor *pool, const pool_kind *kind, const char *what);
    unsigned chunk; /* tasks that travel together */
} way;

/* True when submit says that the pool is broken, within seconds. */
bool pool_breaks(cf_executor *pool);

extern const way ways[];
extern const size_t way_count;

#endif
