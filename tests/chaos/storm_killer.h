/* The killer of a round: a thread, or a process of its own. It knows nothing of the executor. It shoots at
 * the processes that the ledger names: workers that have begun a task in their life, and the nursery. */
#ifndef TESTS_CHAOS_STORM_KILLER_H
#define TESTS_CHAOS_STORM_KILLER_H

#include "storm.h"

void killer_init(void); /* once in a process */

/* A killer that is a process is started before the executor and any thread. */
void killer_start(const round_plan *plan, uint64_t seed);

/* What it has stopped goes on. Afterwards it sends nothing. */
void killer_stop(void);

#endif
