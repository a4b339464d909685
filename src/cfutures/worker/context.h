/* A run, as its task sees it: the cf_task_* calls answer from it. */
#ifndef CFUTURES_CONTEXT_H
#define CFUTURES_CONTEXT_H

#include "cfutures/worker/scope.h"

/* The time limit of a run that waits for another run on the same thread (worker/limit.h). */
typedef struct cfi_outer_limit {
    int64_t until_ns; /* in program time; 0 = no limit */
    uint32_t limited; /* its slot: index + 1 */
    bool ended;       /* declared over its time; under the limits' lock, like `next` */
    struct cfi_outer_limit *next;
} cfi_outer_limit;

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
    int64_t until_ns;      /* when the time of the run ends, in program time; 0 = no limit */
    cfi_outer_limit outer; /* limit of the task around it, which waits for it */
};

/* False once the run was declared over its time. */
bool cfi_task_is_ours(const cf_task_context *ctx);

#endif
