/* The parts of torture.c: what a scenario does with an executor while calls of the system fail, and what
 * it expects. See torture.c. */
#ifndef TESTS_CHAOS_TORTURE_H
#define TESTS_CHAOS_TORTURE_H

#include "failing.h"
#include "tally.h"

typedef struct torture_executor {
    const char *name;
    unsigned bit; /* of those below */
    cf_status (*create)(const cf_pool_options *options, cf_executor **executor);
} torture_executor;

enum {
    ON_SERIAL = 1,
    ON_THREADS = 2,
    ON_PROCESSES = 4,
    ON_OPENMP = 8,
    ON_TEAMS = ON_THREADS | ON_OPENMP,
    ON_POOLS = ON_TEAMS | ON_PROCESSES,
    ON_ALL = ON_POOLS | ON_SERIAL
};

enum {
    ITEMS_MAX = 2200 /* of one scenario */
};

/* What one run of a scenario has seen. In memory that it shares with its parent and its workers. */
typedef struct torture_report {
    failing_counts counts;
    failing_leavings leavings;
    const char *_Atomic step; /* what it does now: told if it hangs */
    _Atomic uint32_t faults;
    counter runs[ITEMS_MAX]; /* of each item, by its index */
    counter gate, begun;
} torture_report;

typedef struct stage {
    const char *name; /* of the case, for messages */
    const torture_executor *on;
    const failing_plan *plan;
    torture_report *report;
    unsigned workers;
    bool strict;   /* nothing fails */
    bool some_die; /* workers, in the middle of chunks */
    cf_executor *pool;
    uint32_t next_index; /* of the next item */
    uint32_t refusals;   /* calls of the library that were refused so far */
} stage;

typedef struct scenario {
    const char *name;
    unsigned on; /* executors that can do it */
    void (*run)(stage *s);
} scenario;

extern const scenario torture_scenarios[];
extern const size_t torture_scenario_count;

#define STEP(s, text) atomic_store(&(s)->report->step, text)

/* ---- what is expected ------------------------------------------------------------------------ */

/* Says what is wrong and counts it; only the first fault of a case. */
void wrong(stage *s, _Atomic uint64_t *count, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define EXPECT_THAT(s, condition)                                                                  \
    ((condition) ? (void)0 : wrong(s, &chaos->lost, "not true: %s", #condition))

#define AS_BIT(status) (1u << (status))
enum {
    REFUSALS = AS_BIT(CF_ENOMEM) | AS_BIT(CF_EAGAIN)
};

/* To be asked right after the call, on its thread. True if it was CF_OK. Else the status must be one of
 * those given (or CF_EBROKEN, if the pool may break), and cf_refused_call must name the call that was made
 * to fail. */
bool accepted(stage *s, cf_status status, unsigned expected, const char *call);

/* The pool may break, as the header says, because of what fails. */
bool may_break(const stage *s);
/* A worker process may die of what fails. */
bool may_kill_worker(const stage *s);
/* A call that was refused may be made again, and then it is not refused. */
bool can_try_again(const stage *s);

/* ---- items ----------------------------------------------------------------------------------- */

typedef struct item {
    uint32_t index;
    uint32_t deaths; /* so many of its runs end their worker */
    uint64_t value;
} item;

/* item -> uint64_t. Counts its run. */
extern const cf_task item_task;
uint64_t item_result(const item *i);

item new_item(stage *s);
uint32_t runs_of(const stage *s, uint32_t index);

/* False: refused; then s->pool is NULL. */
bool open_pool(stage *s, cf_pool_options options);
void close_pool(stage *s);

/* NULL: refused, though tried again. */
cf_future *submit_item(stage *s, const item *i, const cf_submit_options *options);
/* Takes the result, checks it and releases the future. NULL is allowed. */
void collect_item(stage *s, cf_future *future, const item *i);
/* Checks how it ended. `runs`: how often it must have run to have succeeded. */
void check_ending(stage *s, const item *i, cf_status status, const uint64_t *result, uint32_t runs);

/* An item after all else: the pool goes on. */
void still_works(stage *s);

#endif
