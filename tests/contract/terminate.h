/* What the tests of terminate_workers and kill_workers share: both of them, and a busy executor. */
#ifndef TESTS_CONTRACT_TERMINATE_H
#define TESTS_CONTRACT_TERMINATE_H

#include "rows.h"
#include "stats.h"

enum {
    WORKERS = 2,
    QUEUED = 100
};

typedef cf_status ending(cf_executor *ex);

typedef struct way {
    ending *end;
    int signal;
} way;
extern const way ways[2];

/* Workers that are held, and a queue behind them. */
typedef struct scene {
    footprint before;
    counter *c; /* begun, gate, ran (the blockers), ran (those behind them) */
    cf_executor *ex;
    cf_future *held[WORKERS];
    cf_future *queued[QUEUED];
} scene;
/* Each worker runs `task`, which takes a blocker. */
scene terminate_scene_open(const cf_task *task, unsigned retries);
/* Destroys the executor; none of the queue may have run, and nothing may be left. */
void terminate_scene_close(scene *s);

void expect_shut_down(cf_executor *ex);
void expect_queue_cancelled(scene *s);
void expect_ended_by(cf_future *future, int signal);

#endif
