/* The tasks of soak.c, and how each must end. */
#ifndef TESTS_CHAOS_SOAK_TASKS_H
#define TESTS_CHAOS_SOAK_TASKS_H

#include "soak_pools.h"

enum {
    LARGE_ARG = 96 << 10,
    LARGE_RESULT = 768 << 10,
};

typedef enum manner {
    PLAIN,
    FAILS,  /* returns an error */
    DIES,   /* in a process */
    LATE,   /* runs until it is cancelled */
    GATHERS /* waits until as many as `value` have gathered in its pool */
} manner;

typedef struct job {
    uint64_t value;
    uint32_t pool;
    uint16_t manner;
    uint16_t in_process;
} job;

/* More than a slot has room for: it takes a block of the arena. */
typedef struct wide_job {
    job job;
    char rest[80];
} wide_job;

extern const cf_task job_task, wide_task;
extern const cf_task large_task; /* the last byte of its argument fills the end of its result */

void soak_tasks_init(void);
uint32_t soak_gathered(const soak_pool *pool);
job make_job(const soak_pool *pool, uint64_t value, manner m);

/* Tells the watchdog that something goes on, and what. */
void doing(const char *what);

/* Counts the task, and a fault unless it ended as its manner says. Without retries its worker may have
 * been killed. */
void check_end(const soak_pool *pool, const job *j, unsigned retries, cf_status status,
               uint64_t value);

/* Counts a fault, and returns false, unless the call returned CF_OK. */
bool went_well(const soak_pool *pool, const char *call, cf_status status);

#endif
