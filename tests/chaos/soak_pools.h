/* The pools of soak.c, and all that is done with one in a round. */
#ifndef TESTS_CHAOS_SOAK_POOLS_H
#define TESTS_CHAOS_SOAK_POOLS_H

#include "tally.h"

enum {
    SOAK_WORKERS = 2,
    SOAK_POOLS_MOST = 8, /* that live at a time */
};

typedef struct soak_kind {
    const char *name;
    cf_status (*create)(const cf_pool_options *options, cf_executor **executor);
    bool in_processes;
    bool has_workers;
} soak_kind;
extern const soak_kind soak_kinds[];
extern const size_t soak_kind_count;
extern const soak_kind *const soak_processes;

typedef struct soak_pool {
    const soak_kind *kind;
    cf_executor *executor;
    unsigned number;      /* its place in shared memory */
    bool may_be_killed;   /* its workers are, by soak.c */
    bool has_little_room; /* submit waits */
    bool lives_on;        /* none of its workers ever dies: what one leaks is to be seen */
} soak_pool;

/* What workers write: the process that has run a task in each worker's place. Who has run none is
 * seldom killed: a pool in which no worker comes to a task breaks. */
extern _Atomic pid_t (*soak_ran_by)[SOAK_WORKERS];

/* False if it could not be made, which is counted. */
bool soak_pool_open(soak_pool *pool, const soak_kind *kind, unsigned number, bool may_be_killed,
                    const cf_pool_options *options);
void soak_pool_close(soak_pool *pool);

/* Everything once: tasks one by one and many at once, maps, streams, completions, callbacks, time
 * limits, large payloads, failures, deaths, cancelled tasks, futures that are released late. */
void soak_pool_use(soak_pool *pool, uint64_t *seed);

/* Each of the workers runs a task at the same time: all are there. */
void soak_pool_gather(soak_pool *pool);

/* Futures that were kept, also of pools destroyed since. */
void soak_release_kept(void);

/* For the watchdog: changes as long as something goes on; what is going on. */
extern _Atomic uint64_t soak_progress;
extern const char *_Atomic soak_doing;

#endif
