/* A round's plan: all of it comes from the seed and the round's number. */
#ifndef TESTS_CHAOS_STORM_PLAN_H
#define TESTS_CHAOS_STORM_PLAN_H

#include "storm.h"

/* Opens the ledger for the round, too. `seed` is left for what else is random in the round. */
void plan_make(round_plan *p, uint64_t number, uint64_t *seed);

/* Creates the executor. NULL: the system refused it, which is told. */
cf_executor *plan_create(const round_plan *p);

/* Begins an end of the executor, any but DESTROY. The ledger knows before what may come of it. */
void plan_finale(const round_plan *p, cf_executor *ex, finale how);
bool finale_waits(finale how);

#endif
