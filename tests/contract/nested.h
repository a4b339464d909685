/* What the tests of tasks that wait for tasks share: the ways to wait for one. */
#ifndef TESTS_CONTRACT_NESTED_H
#define TESTS_CONTRACT_NESTED_H

#include "rows.h"

/* Their own executor is the parent's in a process pool's workers, and no use there. */
#define NEEDS_OWN_EXECUTOR() NEEDS(shares_memory)

extern const unsigned worker_counts[3];

typedef enum manner {
    BY_RESULT,
    BY_EXCEPTION,
    BY_VIEW,
    BY_WAIT_FOR_ALL,
    BY_WAIT_FOR_FIRST,
    BY_AS_COMPLETED,
    MANNERS
} manner;

/* The status of the call that the manner names. */
cf_status wait_for(cf_future *f, manner how, int64_t timeout_ns);

#endif
