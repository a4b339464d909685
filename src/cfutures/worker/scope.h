/* A worker as its own thread sees it, and whose worker the calling thread is.
 *
 * A thread that runs tasks enters a scope for its worker. Scopes nest: a task may run another task,
 * of a serial executor or the one that it waits for. The scopes of a thread are its own; other
 * threads read those of a thread that waits inside a task (waiting/nested.h), which do not change
 * meanwhile. */
#ifndef CFUTURES_SCOPE_H
#define CFUTURES_SCOPE_H

#include "cfutures/queue/queue.h"

#include "platform/openmp_runtime.h"

struct cfi_limits; /* limit.h */

/* What the pool's options say of each worker. It never changes after the executor was created, so a
 * forked worker's copy is as good. */
typedef struct cfi_worker_life {
    cf_initializer_fn *initializer; /* NULL = none */
    cf_finalizer_fn *finalizer;     /* NULL = none */
    void *context;                  /* for both */
    unsigned max_tasks;             /* of one life; 0 = any number */
    char name[16];
    unsigned processors; /* that all workers share (share.h); 0 = to be asked */
    unsigned workers;
    cfi_openmp_set_threads *set_openmp_threads; /* NULL = OpenMP need not be told */
} cfi_worker_life;

/* What the kind of executor adds to a worker's loop. */
typedef struct cfi_worker_hooks {
    /* A task has returned, and the caller is about to be told. A process flushes what the task
     * printed. NULL = nothing to do. */
    void (*after_task)(void);

    /* The run that has just returned was declared over its time meanwhile: the slot is no longer
     * the worker's. A process does not return from here; a thread leaves the slot. */
    void (*overrun)(cfi_slot *slot);
} cfi_worker_hooks;

/* One worker, from its first task to its last. */
typedef struct cfi_worker {
    cfi_queue *queue;
    unsigned number;
    const cfi_worker_life *life;
    const cfi_worker_hooks *hooks;
    struct cfi_limits *limits; /* NULL where no deadline thread shares memory with the worker */
    void *local;               /* what the initializer made */
} cfi_worker;

typedef struct cfi_worker_scope {
    const cfi_worker *worker;
    const struct cfi_worker_scope *outer;
    unsigned depth;
} cfi_worker_scope;

/* From here to leave the calling thread works for this worker. */
void cfi_worker_enter(cfi_worker_scope *scope, const cfi_worker *worker);
void cfi_worker_leave(const cfi_worker_scope *scope);

/* The calling thread's innermost scope; NULL outside any task. */
const cfi_worker_scope *cfi_worker_innermost(void);

/* The innermost one that works for this queue; NULL = none. */
const cfi_worker_scope *cfi_worker_scope_of(const cfi_queue *queue);

static inline bool cfi_worker_is_of(const cfi_queue *queue) {
    return cfi_worker_scope_of(queue) != NULL;
}

/* In a forked child: the scopes of the forking thread are not the child's. */
void cfi_worker_forget_scopes(void);

#endif
