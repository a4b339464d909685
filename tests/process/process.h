/* What the tests of the process pool share: tasks that die, and looks at who is alive. */
#ifndef TESTS_PROCESS_PROCESS_H
#define TESTS_PROCESS_PROCESS_H

#include "../check.h"

#if defined(__SANITIZE_ADDRESS__)
#define ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ADDRESS_SANITIZER 1
#endif
#endif

typedef cf_status create_fn(const cf_pool_options *options, cf_executor **executor);
/* The constructors of libcfutures: for what must hold on every executor of it. */
extern create_fn *const creates[3];

cf_executor *create_pool(unsigned workers);
cf_future *submit(cf_executor *pool, const cf_task *task, const void *arg);
cf_future *submit_retried(cf_executor *pool, const cf_task *task, const void *arg,
                          unsigned retries);
/* Runs some squares, checks them: the pool works. */
void check_works(cf_executor *pool);
cf_stats stats_of(cf_executor *pool);

/* How a task ends its worker: by a signal (> 0), or by _exit(-how) (<= 0). */
typedef struct death {
    int how;
    unsigned attempts; /* dies in the first so many attempts, then gives `value` */
    uint64_t value;
} death;
extern const cf_task death_task; /* death -> uint64_t */

/* A task that never ends, and tells which process runs it. */
typedef struct stuck {
    counter *begun;
    _Atomic pid_t *pid;
} stuck;
extern const cf_task stuck_task;

/* Process ids of the workers, as the pool tells them now; returns how many there are. */
size_t worker_pids(cf_executor *pool, pid_t *pids, size_t room);
pid_t nursery_of(cf_executor *pool);

/* For the body of a host. They return 0, or 1 and say what was not true. */

/* A pool with so many busy workers breaks when its nursery is killed. */
int lose_a_nursery(unsigned workers);
/* A pool lives through deaths of its workers, and another one loses its nursery. */
int live_through_deaths(void);

#endif
