/* What every worker does, be it a thread or a process: claim, run, settle, sleep.
 *
 * A worker holds no lock while it does so and touches nothing but the shared region, so it can be
 * killed at any instruction. What its kind of executor has to add comes in as hooks. */
#ifndef CFUTURES_WORKER_H
#define CFUTURES_WORKER_H

#include "cfutures/queue/queue.h"

#include "platform/openmp_runtime.h"

/* A worker's life as the pool's options want it: with an initializer at its start, a finalizer at
 * its end, and no more than so many tasks between. Never changes after the executor was created, so
 * a forked worker's copy is as good. */
typedef struct cfi_worker_life {
    cf_initializer_fn *initializer;
    cf_finalizer_fn *finalizer;
    void *context;
    unsigned max_tasks;
    char name[16];
    unsigned processors;                        /* for all workers, 0 = to be asked; */
    unsigned workers;                           /* so many share them: share.h */
    cfi_openmp_set_threads *set_openmp_threads; /* NULL: not to be told */
} cfi_worker_life;

typedef struct cfi_worker_hooks {
    /* A task is done, and the caller is about to be told (a process flushes what it printed). NULL:
     * nothing to do. */
    void (*after_task)(void);
    /* The run that has just returned was declared over its time meanwhile: the slot is no longer
     * the worker's. A process does not come back from here, a thread leaves the slot. */
    void (*overrun)(cfi_slot *slot);
} cfi_worker_hooks;

/* One worker as its own thread sees it, from its first task to its last. */
typedef struct cfi_worker {
    cfi_queue *queue;
    unsigned number;
    const cfi_worker_life *life;
    const cfi_worker_hooks *hooks;
    void *local; /* what the initializer made */
} cfi_worker;

/* The time limit of a run that waits for another on the same thread: see deadline.h. */
typedef struct cfi_outer_limit {
    int64_t until_ns; /* 0 = there is none */
    uint32_t limited; /* slot: index + 1 */
    bool ended;       /* declared over its time; under the executor's lock, like `next` */
    struct cfi_outer_limit *next;
} cfi_outer_limit;

/* A run, as the task sees it. */
struct cf_task_context {
    const cfi_worker *runner;
    cfi_queue *queue;
    cfi_slot *slot;
    uint64_t word; /* as the run began */
    unsigned worker;
    unsigned attempt;
    size_t arg_size;
    size_t room;
    size_t result_size;
    void *local;
    int64_t until_ns;      /* end of the time that the run was given, 0 = none */
    cfi_outer_limit outer; /* of the task around it that waits for it */
};

typedef enum cfi_worker_end {
    CFI_WORKER_DONE,    /* the executor is stopped and no work is left */
    CFI_WORKER_RETIRED, /* it has run as many tasks as it may: a successor goes on */
    CFI_WORKER_UNFIT,   /* its initializer failed: record.init_error */
} cfi_worker_end;

/* A whole life. */
cfi_worker_end cfi_worker_run(cfi_queue *queue, unsigned number, const cfi_worker_life *life,
                              const cfi_worker_hooks *hooks);

/* The parts of it, for an executor that has no loop of its own. begin: false when the initializer
 * failed. execute: one slot that this worker has begun; word as cfi_slot_begin left it. */
bool cfi_worker_begin(cfi_worker *worker);
void cfi_worker_execute(const cfi_worker *worker, cfi_slot *slot, uint64_t word);
void cfi_worker_finish(const cfi_worker *worker);

/* ---- tasks within tasks ---------------------------------------------------------------------- */

/* Says of the calling thread that it works for this worker until it leaves. Scopes nest: a task may
 * run another one, of a serial executor, or the one that it waits for. */
typedef struct cfi_worker_scope {
    const cfi_worker *worker;
    const struct cfi_worker_scope *outer;
    unsigned depth;
} cfi_worker_scope;

void cfi_worker_enter(cfi_worker_scope *scope, const cfi_worker *worker);
void cfi_worker_leave(const cfi_worker_scope *scope);
/* The calling thread's innermost scope, NULL outside any task; and the one for this queue. */
const cfi_worker_scope *cfi_worker_innermost(void);
const cfi_worker_scope *cfi_worker_scope_of(const cfi_queue *queue);
/* In a forked child: the scopes of the forking thread are not its own. */
void cfi_worker_forget_scopes(void);

static inline bool cfi_worker_is_of(const cfi_queue *queue) {
    return cfi_worker_scope_of(queue) != NULL;
}

/* False once the run was declared over its time. */
bool cfi_task_is_ours(const cf_task_context *ctx);

#endif
