#include "executors/core_functions.h"

#include "platform/refusal.h"

static const cfi_core_functions functions = {
    .executor_create = cfi_executor_create,
    .executor_free = cfi_executor_free,
    .thread_worker_run = cfi_thread_worker_run,
    .worker_innermost = cfi_worker_innermost,
    .refused = plat_refusal_note,
};

const cfi_core_functions *cf_core_functions(unsigned version) {
    return version == CFI_CORE_VERSION ? &functions : NULL;
}
