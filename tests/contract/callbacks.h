/* What the tests of callbacks share: a journal of the calls, and an executor whose tasks wait at a gate. */
#ifndef TESTS_CONTRACT_CALLBACKS_H
#define TESTS_CONTRACT_CALLBACKS_H

#include "rows.h"

enum {
    CALLS_MAX = 8192
};

/* Written without a lock: callbacks of one executor are called one after the other, which `inside`
 * proves. */
typedef struct journal {
    counter called;
    _Atomic uint32_t inside;
    _Atomic uint32_t overlaps;
    uint32_t numbers[CALLS_MAX];
} journal;

/* One callback. It outlives the executor, so that a second call would be seen. */
typedef struct entry {
    journal *journal;
    cf_future *future;
    uint32_t number;
    uint32_t calls;
    bool wrong; /* another future, or one that is not done */
} entry;

/* A callback; `context` is its entry. */
cf_done_fn write_down;

/* The executor, the journal of its callbacks, and what its tasks meet at. */
typedef struct scene {
    footprint before;
    counter *c; /* begun, gate, ran, another gate */
    cf_executor *ex;
    journal *journal;
} scene;
scene callback_scene_open(unsigned workers);
/* Destroys the executor; no two callbacks may have been called at once, and nothing may be left. */
void callback_scene_close(scene *s);

/* A task that has begun and waits for its gate; serial's has passed it. */
cf_future *submit_held(scene *s, uint64_t value);
void let_go(scene *s); /* opens that gate */

/* Adds write_down to the future. */
void add_entry(scene *s, entry *e, cf_future *future, uint32_t number);

/* Waits until `times` callbacks were called in all; no more may have been. */
void expect_called(scene *s, uint32_t times);
void expect_once_each(const entry *entries, size_t count);
void expect_in_order_of_adding(const journal *j, uint32_t count);

#endif
