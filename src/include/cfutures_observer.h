/* cfutures_observer: what happens in an executor, for a program that shows or records it.
 *
 *     static void show(void *context, const cf_event *events, size_t count) { ... }
 *
 *     const cf_observer observer = {.observe = show, .kinds = CF_EVENTS_ALL};
 *     cf_pool_options options = {.max_workers = 4, .observer = &observer};
 *     cf_process_pool_create(&options, &executor);
 *
 *   Thread     The library calls `observe` on a thread of its own in the caller's process, never on two
 *              threads at once, also if the workers are other processes. The first submit starts the
 *              thread. It blocks all signals.
 *   When       Events come some milliseconds after they happened, many in one call. When
 *              cf_executor_shutdown has waited for the workers, or cf_executor_destroy has returned,
 *              all have come, and `observe` is not called again.
 *   Order      Events of one worker come in the order in which they happened. Others may come out of
 *              order: at_ns says when each happened.
 *   Complete   Each attempt of a task has one CF_EVENT_ENDED, whether its task returned, its worker
 *              died or its time was over. A task without an attempt that ended has one
 *              CF_EVENT_DROPPED. If memory is short, CF_EVENT_LOST says how many events are missing.
 *   Waiting    A worker has room for some hundred to 16384 events. If `observe` does not keep up,
 *              workers wait. So `observe` should only copy what it needs. It must not call functions of
 *              the executor: that may wait for a worker that waits for `observe`.
 *   Cost       Without an observer none. With one, its tasks have times (record_times), and a task
 *              costs 0.1 us more.
 *   Chunks     A chunk of a map or stream is one task, about several items.
 *   Not seen   The attempts of single items within a chunk, jobs that tasks have forked
 *              (cfutures_fork.h) and that no other worker has taken, and the processes of a broken pool.
 *              On MPI (cfutures_mpi.h), CF_EVENT_BEGUN and the lives of workers. */
#ifndef CFUTURES_OBSERVER_H
#define CFUTURES_OBSERVER_H

#include <cfutures.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cf_event_kind {
    CF_EVENT_SUBMITTED,
    CF_EVENT_BEGUN,   /* a worker has begun an attempt; one that dies at once does not tell */
    CF_EVENT_ENDED,   /* an attempt has ended; `exception` says how */
    CF_EVENT_KILLED,  /* its time is over, and its worker is being killed; CF_EVENT_ENDED follows */
    CF_EVENT_RETRIED, /* the worker died, and the task is pending again */
    CF_EVENT_DROPPED, /* a pending task ended: it was cancelled, or the pool is broken */
    CF_EVENT_WORKER_STARTED, /* before its initializer */
    CF_EVENT_WORKER_GONE,    /* `exception` has the signal or exit code of a process that died */
    CF_EVENT_LOST,           /* `count` events are missing, for want of memory */
} cf_event_kind;

/* Sets of kinds. */
#define CF_EVENT_BIT(kind) (1u << (kind))
#define CF_EVENTS_ALL      (CF_EVENT_BIT(CF_EVENT_LOST + 1) - 1)

/* Times are nanoseconds of CLOCK_MONOTONIC. */
typedef struct cf_event {
    cf_event_kind kind;
    int worker; /* its number, from 0; -1 = none */
    int64_t at_ns;

    /* Of tasks. */
    uint64_t task;    /* the executor's tasks are numbered from 0, in the order of submission */
    const char *name; /* cf_task.name; stays as long as the executor */
    unsigned attempt; /* from 1; 0 = none yet */
    uint64_t first;   /* of a chunk: its first item's number in the map or stream, from 0; else 0 */
    uint64_t count;   /* of a chunk: its items; of another task 0 */
    int64_t submitted_ns;
    int64_t begun_ns; /* ENDED: of the attempt; else 0 */
    cf_exception exception;

    int64_t id; /* of workers: of the process or thread, as in cf_worker_stats */
} cf_event;

/* Copied by the executor's constructor. */
typedef struct cf_observer {
    void (*observe)(void *context, const cf_event *events, size_t count);
    void *context;
    unsigned kinds; /* those that are told; LOST always is */
} cf_observer;

#ifdef __cplusplus
}
#endif

#endif
