/* What the questions of bench_tasks share; each is a file of its own. */
#ifndef BENCH_TASKS_DRIVER_H
#define BENCH_TASKS_DRIVER_H

#include "bench/driver.h"
#include "bench/tasks.h"

#include <stdbool.h>

typedef enum item_shape {
    SHAPE_EVEN,
    SHAPE_MIXED,
    SHAPE_LATE,
    SHAPES
} item_shape;

typedef struct driver_options {
    void (*measure)(const struct driver_options *options); /* what is asked of */
    const task_contender *contender;                       /* whom */
    unsigned workers;
    unsigned count;
    unsigned passes;
    unsigned window;
    unsigned payload;
    unsigned pause_us;
    unsigned seed;
    unsigned item_ns;
    item_shape shape;
    submit_way ways[WAYS];
    size_t ways_count;
} driver_options;

extern const char *const way_names[WAYS];

/* ---- the questions --------------------------------------------------------------------------- */

void measure_submit(const driver_options *options);
void measure_map(const driver_options *options);
void measure_balance(const driver_options *options);
void measure_latency(const driver_options *options);
void measure_idle(const driver_options *options);
void measure_memory(const driver_options *options);
void measure_stream(const driver_options *options);

/* ---- what they share ------------------------------------------------------------------------- */

/* A usage error, if the contender cannot be asked that. */
void require(const driver_options *options, bool has);

/* Returns when its workers are up and have gone to sleep. */
void open_contender(const driver_options *options);

/* With its memory; what of that is apart has been touched. After open_contender: what is touched before a
 * fork has to be copied when it is written next. */
submit_job submit_job_of(const driver_options *options);

/* Ends the program if they differ. */
void check_result(const driver_options *options, uint64_t result, uint64_t expected);

uint64_t sum_below(uint64_t count);      /* of 0 to count - 1, modulo 2^64 */
uint64_t sum_of_addends(uint64_t count); /* of the results of so many tasks, likewise */

/* The beginning of the figures' line. */
void print_head(const driver_options *options);

/* Says where the program is, and waits until whoever looks at it from outside has done so: returns
 * the nanoseconds that it took them. `done` is how many tasks that is. */
int64_t look_at_me(uint64_t done);

/* Lets the workers come to their gate (gate_pass), and through it. Before the contender is opened:
 * gate_open; its workers may be processes. */
void gate_open(void);
void gate_await(unsigned workers);
void gate_release(unsigned workers);

#endif
