/* Whom bench_tasks measures, and how it calls them.
 *
 * A contender is called for a whole pass, not for a task: no indirect call of the bench's stands between
 * it and its tasks. It gives what it has: where there are no futures its tasks leave their results in
 * an array and it waits for all of them. */
#ifndef BENCH_TASKS_H
#define BENCH_TASKS_H

#include "bench/driver.h"

#include <cfutures.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The tiny task: 16 bytes in, 8 out, which are their sum. */
typedef struct addends {
    uint64_t a;
    uint64_t b;
} addends;

#define ADDENDS_FACTOR UINT64_C(0x9e3779b97f4a7c15)

static inline addends addends_of(uint64_t index) {
    const addends both = {index, index * ADDENDS_FACTOR};
    return both;
}

/* The same in the caller's memory, for those who copy no argument and keep no result. */
typedef struct tiny_task {
    addends arg;
    uint64_t result;
} tiny_task;

typedef struct submit_job {
    size_t count;
    size_t window;  /* most that are under way; in one way only, see below */
    size_t payload; /* bytes of an argument, a multiple of 8; likewise */
    void *memory;   /* count * the contender's memory_size, the same in every pass */
} submit_job;

typedef struct map_job {
    cf_task_fn *run; /* in[i] -> out[i]; called with no context by those who are not ours */
    const uint64_t *in;
    uint64_t *out;
    size_t count;
} map_job;

/* How tasks are submitted and their results collected. */
typedef enum submit_way {
    WAY_ALL,          /* one by one; when all are submitted, their results in order */
    WAY_WINDOW,       /* one by one; once `window` are under way, each after the oldest result */
    WAY_AS_COMPLETED, /* as ALL, but results in the order in which they are there */
    WAY_MANY,         /* as ALL, but submitted in one call */
    WAY_PAYLOAD,      /* as WINDOW, with arguments of `payload` bytes */
    WAYS
} submit_way;

/* NULL for what a contender has not. */
typedef struct task_contender {
    const char *name;
    const char *(*version)(void); /* NULL: ours */

    /* All workers are up when `open` returns. */
    void (*open)(unsigned workers);
    void (*close)(void);

    /* Bytes a task of the caller's memory. Where they are `apart` (what tasks are known by, or where
     * results are left) they are there before the clock starts, and do not count as the tasks'. */
    size_t memory_size;
    int memory_is_apart;

    /* Both return the sum of all results. `submit` is what WAY_ALL does until results are read,
     * `collect` the rest. */
    uint64_t (*ways[WAYS])(const submit_job *job);
    void (*submit)(const submit_job *job);
    uint64_t (*collect)(const submit_job *job);

    uint64_t (*round_trip)(addends arg); /* one task, and its result */
    void (*block)(unsigned workers);     /* submits so many tasks, each of which calls gate_pass */
    void (*map)(const map_job *job);

    /* A stream of `count` tasks i -> i + 1; calls `progress` at the first and then every `step`.
     * Returns the sum of all results. */
    uint64_t (*stream)(uint64_t count, uint64_t step, void (*progress)(uint64_t done));
} task_contender;

/* In a task: says that it runs, and waits until all those that wait are let through. */
void gate_pass(void);

/* ---- ours, and the peers, each in a file of its own ------------------------------------------- */

extern const task_contender tasks_ours[];
extern const size_t tasks_ours_count;

extern const task_contender tasks_loop, tasks_condvar, tasks_futex;
extern const task_contender tasks_libgomp, tasks_libgomp_1, tasks_onetbb, tasks_glib, tasks_libuv;

#ifdef __cplusplus
}
#endif
#endif
