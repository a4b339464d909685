/* The executors that the contract suite runs on, and what each can do. */
#ifndef TESTS_CONTRACT_ROWS_H
#define TESTS_CONTRACT_ROWS_H

#include "../check.h"

typedef struct executor_row {
    const char *name; /* cf_executor_kind, and the ctest name after "contract." */
    cf_status (*create)(const cf_pool_options *options, cf_executor **executor);
    bool runs_beside_caller;    /* submit returns before the task is done; several workers */
    bool cancels_pending;       /* a submitted task can still be cancelled */
    bool shares_memory;         /* tasks run in the caller's process */
    bool survives_worker_death; /* a worker can be killed */
    bool is_remote;             /* workers belong to other programs' processes, maybe elsewhere */
} executor_row;

/* The row under test: the one that CF_TEST_EXECUTOR names. */
const executor_row *row(void);

/* An executor of the row with so many workers, or as many as the row can have. */
cf_executor *create(unsigned workers);
cf_executor *create_with(cf_pool_options options);
unsigned workers_of(unsigned wanted); /* 1 where the row has no more */

cf_future *submit(cf_executor *executor, const cf_task *task, const void *arg);
/* Waits for a task that gives a uint64_t, checks that it succeeded, releases it. */
uint64_t take(cf_future *future);

/* Leaves the test where the row cannot do what it is about. */
#define NEEDS(capability)                                                                          \
    do {                                                                                           \
        if (!row()->capability) {                                                                  \
            cr_skip_test("%s: not " #capability, row()->name);                                     \
        }                                                                                          \
    } while (0)

/* Leaves the test where a remote executor differs, as its header says. */
#define NOT_REMOTE(why)                                                                            \
    do {                                                                                           \
        if (row()->is_remote) {                                                                    \
            cr_skip_test("%s: %s", row()->name, why);                                              \
        }                                                                                          \
    } while (0)
#define USES_EXECUTOR "its tasks know nothing of the executor, nor of addresses of the caller"
#define KNOWS_WORKERS "stats and info do not tell which process ran a task"
#define SENT_AHEAD    "what was sent to a rank waits there, and is not cancelled or shared out again"
#define IN_A_FORK     "a fork of the program has no executor of its own"
#define SLEEPS        "its ranks look for messages"

/* What a test has to leave as it found it. */
typedef struct footprint {
    size_t fds;
    size_t threads;
    size_t children;
} footprint;
footprint footprint_now(void);
void footprint_check(footprint before);

#endif
