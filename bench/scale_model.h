/* A simulation of one manager, or a tree of managers, that feeds workers by messages.
 *
 * Words: a task is the user's unit of work; a chunk is one or more tasks that are claimed,
 * packed and settled as one; a message carries one or more chunks to a worker and their results
 * back; a bundle is what the root of a tree sends to a manager, and is cut into chunks there.
 * All times are in nanoseconds.
 *
 * The simulation has a heap of events and one serial server for each manager. It reads no clock
 * and shares nothing between calls: equal settings give equal results. */
#ifndef BENCH_SCALE_MODEL_H
#define BENCH_SCALE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What each step takes, 0 or more. A manager pays half of chunk_ns and copy_ns on the way out, and
 * half on the way back. */
typedef struct scale_costs {
    double manager_send_ns;    /* to send a message */
    double manager_receive_ns; /* to receive a message */
    double manager_chunk_ns;  /* to claim, pack and settle a chunk; the root pays it for a bundle */
    double manager_copy_ns;   /* to copy the argument and the result of a task */
    double worker_message_ns; /* to receive a message and to answer it */
    double worker_chunk_ns;   /* to begin and to end a chunk */
    double latency_ns;        /* of a message, one way */
    double manager_poll_ns;   /* an idle manager looks for messages so often; 0 = all the time */
    double worker_poll_ns;    /* an idle worker, likewise */
} scale_costs;

enum {
    SCALE_WORKERS_MAX = 1000000,
    SCALE_COUNT_MAX = 1000000000, /* of tasks in a chunk, chunks in a message or a bundle */
    SCALE_CREDIT_MAX = 64,
    SCALE_ROUNDS_MAX = 1000000
};

typedef struct scale_setting {
    scale_costs costs;
    double task_ns;    /* what a worker computes for a task, more than 0 */
    bool exponential;  /* task_ns is the mean of an exponential distribution */
    unsigned workers;  /* 1 to SCALE_WORKERS_MAX */
    unsigned managers; /* below the root, at most as many as workers; 0 = no tree: one manager */
    unsigned chunk;    /* tasks in a chunk, at least 1 */
    unsigned pack;     /* chunks in a message, at least 1 */
    unsigned credit;   /* messages under way to a worker, and bundles to a manager, at least 1 */
    unsigned bundle;   /* chunks in a bundle; 0 = scale_default_bundle */
    unsigned warm_up;  /* messages a worker before the measurement */
    unsigned rounds;   /* messages a worker in the measurement, at least 1 */
    uint64_t seed;     /* of exponential lengths */
} scale_setting;

typedef struct scale_result {
    double tasks_per_second;
    double efficiency;   /* the share of the time in which workers computed tasks, their mean */
    double manager_busy; /* the share of the time in which managers worked, their mean */
    double root_busy;    /* likewise of the tree's root; 0 without a tree */
    double simulated_ns; /* how long the measurement was, in the time of the model */
    uint64_t messages;   /* from managers to workers, in all */
} scale_result;

/* Four messages for each worker of the largest manager, so that workers never wait for the root. */
unsigned scale_default_bundle(const scale_setting *setting);

/* False if there is not enough memory. The setting must be as scale_setting says. */
bool scale_simulate(const scale_setting *setting, scale_result *result);

/* Tasks a second by the closed form: the least of what managers, root, workers and credit allow.
 * Without a tree it is exact for constant lengths if no back-off delays a message. Else it is an
 * upper limit: no manager waits for the root there, and no worker while its manager copies a
 * bundle. */
double scale_formula(const scale_setting *setting);

#endif
