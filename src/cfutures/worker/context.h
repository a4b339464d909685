/* A run, as its task sees it: the cf_task_* calls answer from it. */
#ifndef CFUTURES_CONTEXT_H
#define CFUTURES_CONTEXT_H

#include "cfutures/worker/scope.h"

#include <cfutures_fork.h>

/* The time limit of a run that waits for another run on the same thread (worker/limit.h). */
typedef struct cfi_outer_limit {
    int64_t until_ns; /* in program time; 0 = no limit */
    uint32_t limited; /* its slot: index + 1 */
    bool ended;       /* declared over its time; under the limits' lock, like `next` */
    struct cfi_outer_limit *next;
} cfi_outer_limit;

struct cfi_strand; /* worker/strand.h */

/* Of a task that forks: from its first cf_task_strand to its end. */
typedef struct cfi_fork_frame {
    struct cfi_strand *strand; /* NULL: nothing can be stolen from it */
    cf_fork *base;             /* its jobs on the strand lie from here on */
    struct cfi_fork_frame *outer;
    struct cfi_fork_frame *root; /* whose time limit counts: itself, unless the task is stolen */
    const cfi_control *control;
    cfi_slot *slot;
    uint64_t word;            /* when the run began */
    _Atomic int64_t until_ns; /* as in the context; of the latest item of a chunk */
    cf_strand unshared; /* in place of `strand`, if that is NULL; all its jobs go to `place` */
    cf_fork place;
} cfi_fork_frame;

struct cf_task_context {
    const cfi_worker *runner;
    cfi_queue *queue;
    cfi_slot *slot;
    uint64_t word; /* when the run began */
    unsigned worker;
    unsigned attempt;
    size_t arg_size;
    size_t room;
    size_t result_size;
    void *local;
    cfi_fork_frame *frame; /* of the run; it is open if the run has forked */
    int64_t until_ns;      /* when the time of the run ends, in program time; 0 = no limit */
    cfi_outer_limit outer; /* limit of the task around it, which waits for it */
    unsigned first_worker; /* the task is told a number that is so much greater: MPI's */
};

/* False once the run was declared over its time. */
bool cfi_task_is_ours(const cf_task_context *ctx);

#endif
