/* A run, as its task sees it: what the cf_task_* calls answer from. */
#ifndef CFUTURES_CONTEXT_H
#define CFUTURES_CONTEXT_H

#include "cfutures/worker/scope.h"

/* The time limit of a run that waits for another one on the same thread (limit.h). */
typedef struct cfi_outer_limit {
    int64_t until_ns; /* 0 = there is none */
    uint32_t limited; /* slot: index + 1 */
    bool ended;       /* declared over its time; under the limits' lock, like `next` */
    struct cfi_outer_limit *next;
} cfi_outer_limit;

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
    cfi_outer_limit outer; /* of the task around it, which waits for it */
};

/* False once the run was declared over its time. */
bool cfi_task_is_ours(const cf_task_context *ctx);

#endif
