/* A worker as its own thread sees it, and the workers that a thread works for.
 *
 *   - A thread that runs tasks enters a scope for its worker.
 *   - Scopes nest: a task may run another task, either of a serial executor or the one that it
 *     waits for.
 *   - The scopes of a thread are its own. Other threads read them only while it waits inside a task
 *     (waiting/nested.h); they do not change meanwhile. */
#ifndef CFUTURES_SCOPE_H
#define CFUTURES_SCOPE_H

#include "cfutures/queue/queue.h"

#include "platform/openmp_runtime.h"

#include <signal.h>

struct cfi_limits; /* worker/limit.h */

/* What the pool's options say about each worker. It never changes after the executor was created,
 * so a forked worker's copy is as good. */
typedef struct cfi_worker_config {
    cf_initializer_fn *initializer; /* NULL = none */
    cf_finalizer_fn *finalizer;     /* NULL = none */
    void *context;                  /* for both */
    unsigned max_tasks;             /* of one life; 0 = no limit */
    char name[16];
    unsigned processors; /* that all workers share (worker/cpu_share.h); 0 = to be read */
    unsigned workers;
    plat_openmp_set_threads *set_openmp_threads; /* NULL = OpenMP's number is not set */
    bool keeps_signal_mask;
    bool ignores_sigterm;    /* a process */
    bool runs_exit_handlers; /* likewise */
    sigset_t signal_mask;    /* of the creator's thread if it is kept; else a process's: empty */
} cfi_worker_config;

/* What the kind of executor adds to a worker's loop. */
typedef struct cfi_worker_hooks {
    /* The initializer has succeeded. A process sees to it again that it dies with its nursery. NULL
     * = nothing to do. */
    void (*begun)(void);

    /* A task has returned, and is not settled yet. A process flushes what the task printed. NULL =
     * nothing to do. */
    void (*after_task)(void);

    /* The run that has just returned was declared over its time: the slot is no longer the
     * worker's. A process does not return from here; a thread leaves the slot. */
    void (*overrun)(cfi_slot *slot);
} cfi_worker_hooks;

/* One worker, from its first task to its last. */
typedef struct cfi_worker {
    cfi_queue *queue;
    unsigned number;
    const cfi_worker_config *config;
    const cfi_worker_hooks *hooks;
    struct cfi_limits *limits; /* NULL if no deadline thread runs in the worker's process */
    void *local;               /* what the initializer made */
} cfi_worker;

typedef struct cfi_worker_scope {
    const cfi_worker *worker;
    const cfi_slot *slot; /* of the task that runs in it; NULL: the record's `current` is */
    const struct cfi_worker_scope *outer;
    unsigned depth;
    bool *fork_noticed; /* by the scope outside it */
} cfi_worker_scope;

/* From enter to leave the calling thread works for this worker. slot: of the one task that it runs
 * meanwhile; NULL: of any number, one after the other. */
void cfi_worker_enter(cfi_worker_scope *scope, const cfi_worker *worker, const cfi_slot *slot);
void cfi_worker_leave(const cfi_worker_scope *scope);

/* The calling thread's innermost scope; NULL outside any task. */
extern _Thread_local const cfi_worker_scope *cfi_innermost_scope
    __attribute__((tls_model("initial-exec")));

static inline const cfi_worker_scope *cfi_worker_innermost(void) {
    return cfi_innermost_scope;
}

/* Its innermost scope for a worker of this queue; NULL = none. */
const cfi_worker_scope *cfi_worker_scope_of(const cfi_queue *queue);

/* The slot of the task that runs in the scope, of the calling thread's. NULL: none does. */
static inline const cfi_slot *cfi_worker_slot_in(const cfi_worker_scope *scope) {
    const cfi_worker *worker = scope->worker;
    if (scope->slot != NULL) {
        return scope->slot;
    }
    const uint32_t current = plat_load_relaxed(&worker->queue->records[worker->number].current);
    return current != 0 ? cfi_queue_slot(worker->queue, current - 1) : NULL;
}

static inline bool cfi_worker_is_of(const cfi_queue *queue) {
    return cfi_worker_scope_of(queue) != NULL;
}

/* In a forked child: the scopes of the thread that forked do not count there. */
void cfi_worker_forget_scopes(void);

/* Called when a function of the user's has returned in a scope. If the function has forked, and the
 * child has returned from it too, ends the child: it must not go on with the worker's work. Its exit
 * status is 0 if `error` is. */
void cfi_worker_end_forked_child(int error);

/* From now on *noticed becomes true in a child that this thread forks: for a loop that should not ask
 * after each item. Until the scope is left, or NULL is given. */
void cfi_worker_notice_fork(bool *noticed);

#endif
