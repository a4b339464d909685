/* What the pools do in which points.c has their processes killed. */
#ifndef TESTS_CHAOS_POINTS_SCENARIOS_H
#define TESTS_CHAOS_POINTS_SCENARIOS_H

#include "tally.h"

enum {
    ITEMS_MOST = 1024
};

typedef enum victim {
    NOBODY,
    A_WORKER, /* or all, if another process passes the point */
    THE_NURSERY,
    THE_CALLER
} victim;

typedef struct world {
    cf_executor *executor;
    unsigned workers;
    unsigned retries;
    victim victim;
    bool breaks;         /* the pool may break: the nursery is killed */
    bool cancels;        /* pending tasks may be cancelled, and none is run again */
    bool kills;          /* workers may be killed by the caller itself */
    bool limited;        /* the items have 30 ms */
    unsigned held_up;    /* items that were late, though they do nothing */
    unsigned of_workers; /* tasks that ended with their worker */
    unsigned items;      /* given out so far */
    char what[120];      /* for complaints */
} world;

typedef struct scenario {
    const char *name;
    void (*options)(cf_pool_options *options);
    void (*run)(world *w);
    const char *rule; /* of CF_FAULT, to lead there; NULL = none needed */
    bool breaks;      /* the rule kills the nursery */
    bool shuts_down;
} scenario;

extern const scenario scenarios[];
extern const size_t scenario_count;

/* Shared with the hosts: how often each item was begun, what serial makes of it, how it ended. */
typedef struct notes {
    _Atomic uint32_t begun[ITEMS_MOST];
    uint64_t of_serial[ITEMS_MOST];
    bool ended[ITEMS_MOST];
} notes;
extern notes *shared_notes;

void notes_make(void);

/* What serial makes of each item. */
int ask_serial(void *unused);

/* A few tasks on a pool that has seen something. */
void run_some(world *w);

#endif
