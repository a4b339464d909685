/* A stream over items 0, 1, 2 ..., for the scenarios: its source, and what is handed out. Item n is
 * a task with argument n whose result is pool_result(n). */
#ifndef EXPLORER_ITEMS_H
#define EXPLORER_ITEMS_H

#include "pool.h"

enum {
    ITEMS_MAX = TASKS_MAX
};

extern cf_stream *items;

/* Opens the stream, whose source ends after `count` items, and has nothing to give from item number
 * `held_back` on, until items_release. */
void items_open(const cf_task *task, unsigned count, unsigned held_back,
                const cf_stream_options *options);
void items_release(void);

/* The same, but there is no memory to open it. */
void items_find_no_memory(const cf_task *task, unsigned count, const cf_stream_options *options);

/* Asks the stream for the next item and checks it: handed out for the first time, in the source's order
 * if the stream keeps that, with its argument, and with its result if it has one. */
cf_status items_take(int64_t timeout_ns);
/* The same until there are no more. */
void items_take_all(void);
/* Closes the stream and destroys the executor. */
void items_end(void);

/* Another submitter, of one task with argument n, beside the stream. */
void items_begin_rival(unsigned n);
/* Takes all items, waits for the rival to have submitted, and ends the stream and the executor. */
void items_take_all_beside_rival(void *context);
/* Checks: as items_check, and the rival's task ran once. */
void items_check_beside_rival(void);

/* How many items of ended chunks were not handed out. Reads the slots, in steps of the calling thread. */
unsigned items_done(void);

/* How item n ended, and all of those that were handed out. */
bool items_was_handed_out(unsigned n);
cf_status items_status(unsigned n);
unsigned items_count(cf_status status);

/* Checks: all were handed out and ran once, and the executor has gone. */
void items_check(void);

#endif
