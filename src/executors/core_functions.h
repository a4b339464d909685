/* The functions of the core for an executor in a library of its own (openmp.c).
 *
 * libcfutures exports the public functions, whose names begin with cf_, and cf_core_functions. That
 * gives such a library a table of core functions. No installed header declares it, because both
 * libraries must come from one build. The version says whether they do. */
#ifndef EXECUTORS_CORE_FUNCTIONS_H
#define EXECUTORS_CORE_FUNCTIONS_H

#include "executors/thread_worker.h"

#include "cfutures/core/submission.h"

/* Add 1 with each change of the table below, of cf_executor, of cfi_executor_ops, or of what the
 * functions mean. If that is forgotten, the size of cf_executor shows most changes. */
#define CFI_CORE_VERSION ((6U << 16) + (unsigned)sizeof(cf_executor))

/* `refused` is plat_refusal_note, each other function the one whose name begins with cfi_. */
typedef struct cfi_core_functions {
    cf_status (*executor_create)(size_t size, const cfi_executor_ops *ops,
                                 const cf_pool_options *options, bool shared,
                                 cf_executor **executor);
    void (*executor_free)(cf_executor *executor);
    void (*thread_worker_run)(cf_executor *executor, unsigned number);
    const cfi_worker_scope *(*worker_innermost)(void);
    void (*refused)(const char *call, int error);

    cf_status (*deadlines_start)(cf_executor *executor);
    cf_status (*submission_submit)(cf_executor *executor, const cfi_submission *submission,
                                   cf_future **future);
    uint64_t (*executor_take_block)(cf_executor *executor, size_t arg_size, size_t result_size);
    void (*executor_give_block)(cf_executor *executor, uint64_t block, size_t arg_size,
                                size_t result_size);
    cf_task_fn *chunk_run;

    void (*executor_start_all)(cf_executor *executor);
    bool (*queue_has_work)(const cfi_queue *queue);
    cfi_slot *(*queue_claim)(cfi_queue *queue, cfi_claim *claim, uint64_t *word);
    void (*completion_announce)(cfi_queue *queue, cfi_slot *slot, uint64_t replaced);
    bool (*executor_run_cut)(cf_executor *executor, unsigned worker, uint32_t index, cfi_cut cut,
                             int wait_status);
    void (*observe_ending)(const cfi_queue *queue, unsigned worker, const cfi_slot *slot,
                           uint64_t word, bool late);
    void (*observe_ended)(const cfi_queue *queue, unsigned worker, bool settled);
    void (*executor_break)(cf_executor *executor, int fork_error);
    void (*executor_init_failed)(cf_executor *executor, unsigned worker, int wait_status);
} cfi_core_functions;

/* version: the caller's CFI_CORE_VERSION. NULL if this libcfutures has another. */
#pragma GCC visibility push(default)
const cfi_core_functions *cf_core_functions(unsigned version);
#pragma GCC visibility pop

#endif
