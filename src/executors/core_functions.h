/* What an executor in a library of its own (openmp.c) calls in the core.
 *
 * libcfutures exports the public functions, whose names begin with cf_, and one more: this, which
 * gives such a library the functions of the core. It is in no installed header: the two libraries
 * must come from one build, and the version says whether they do. */
#ifndef EXECUTORS_CORE_FUNCTIONS_H
#define EXECUTORS_CORE_FUNCTIONS_H

#include "executors/thread_worker.h"

/* Counts the changes of what such a library is compiled with: the table below, cf_executor,
 * cfi_executor_ops, and the meaning of the functions. Add 1 with each; the size of cf_executor finds
 * most of those that were forgotten. */
#define CFI_CORE_VERSION ((1U << 16) + (unsigned)sizeof(cf_executor))

/* Each as it is declared by the name that begins with cfi_. */
typedef struct cfi_core_functions {
    cf_status (*executor_create)(size_t size, const cfi_executor_ops *ops,
                                 const cf_pool_options *options, bool shared,
                                 cf_executor **executor);
    void (*executor_free)(cf_executor *executor);
    void (*thread_worker_run)(cf_executor *executor, unsigned number);
    const cfi_worker_scope *(*worker_innermost)(void);
} cfi_core_functions;

/* NULL unless `version`, the caller's CFI_CORE_VERSION, is that of this libcfutures. */
#pragma GCC visibility push(default)
const cfi_core_functions *cf_core_functions(unsigned version);
#pragma GCC visibility pop

#endif
