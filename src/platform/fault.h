/* Fault points: steps of a pool at which a test can have one of its processes die. cfutures.h, "Fault
 * points", has what users write; fault_points.h every point.
 *
 * Built in by the CMake option PRIMEPOOL_FAULT_POINTS. Elsewhere a point is nothing at all.
 *
 *   - The plan is read from CF_FAULT once, when the process makes its first executor. Processes that are
 *     forked later have it too.
 *   - What was passed and what was done is counted in a page that these processes share.
 *   - Each process enters itself in that page (plat_fault_become): the others find there whom to kill.
 *     Whoever ends or reaps a process takes its entry out, so that no later process with its number is
 *     killed. */
#ifndef PLATFORM_FAULT_H
#define PLATFORM_FAULT_H

#include "platform/fault_points.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef enum plat_fault_id {
    PLAT_FAULT_NONE,
#define PLAT_FAULT_ID(identifier, name, about) PLAT_FAULT_##identifier,
    PLAT_FAULT_POINTS(PLAT_FAULT_ID)
#undef PLAT_FAULT_ID
    PLAT_FAULT_END
} plat_fault_id;

typedef enum plat_fault_role {
    PLAT_FAULT_CALLER, /* the program */
    PLAT_FAULT_NURSERY,
    PLAT_FAULT_WORKER,
} plat_fault_role;

/* The task that a worker is about to begin, runs or has just settled. */
typedef struct plat_fault_task {
    uint64_t number; /* in the order of submission, from 1; 0 = there is none */
    unsigned attempt;
} plat_fault_task;

#ifdef CFI_FAULT_POINTS

/* False: CF_FAULT cannot be read, or there is no memory for the counts. Then stderr says which. */
bool plat_fault_load(void);
void plat_fault_become(plat_fault_role role, unsigned number);
void plat_fault_forget(pid_t process);
/* Some rule asks which task it is. */
bool plat_fault_asks_for_task(void);
void plat_fault_pass(plat_fault_id point, plat_fault_task task);
uint64_t plat_fault_visits(plat_fault_id point);
uint64_t plat_fault_done(void);

#define plat_fault_point(identifier) plat_fault_pass(PLAT_FAULT_##identifier, (plat_fault_task){0})

#else

static inline bool plat_fault_load(void) {
    return true;
}

#define plat_fault_become(role, number) ((void)0)
#define plat_fault_forget(process)      ((void)0)
#define plat_fault_point(identifier)    ((void)0)

#endif

#endif
