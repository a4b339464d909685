/* What the tests of runs over their time share: tasks that overrun, and what such a run looks like. */
#ifndef TESTS_CONTRACT_DEADLINES_H
#define TESTS_CONTRACT_DEADLINES_H

#include "rows.h"
#include "stats.h"

#define LIMIT (100 * MILLISECOND)
#define SOON  SECOND /* from a deadline to who waits for it, on a busy machine */

cf_future *submit_limited(cf_executor *ex, const cf_task *task, const void *arg,
                          cf_submit_options options);
void expect_over_its_time(cf_future *future, int64_t limit_ns);

/* Asks all the time whether it is still wanted. */
cf_task_fn run_until_cancelled;
extern const cf_task until_cancelled_task; /* nothing -> uint64_t */

/* Asks nothing, returns after a time. */
typedef struct spin {
    int64_t ns;
    int error;
    uint64_t value;
} spin;
extern const cf_task spin_task; /* spin -> uint64_t */

#endif
