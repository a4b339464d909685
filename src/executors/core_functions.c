#include "executors/core_functions.h"

#include "cfutures/core/deadline.h"
#include "cfutures/queue/completion.h"
#include "cfutures/worker/chunk.h"
#include "cfutures/worker/observe.h"

#include "platform/refusal.h"

static const cfi_core_functions functions = {
    .executor_create = cfi_executor_create,
    .executor_free = cfi_executor_free,
    .thread_worker_run = cfi_thread_worker_run,
    .worker_innermost = cfi_worker_innermost,
    .refused = plat_refusal_note,
    .deadlines_start = cfi_deadlines_start,
    .submission_submit = cfi_submission_submit,
    .executor_take_block = cfi_executor_take_block,
    .executor_give_block = cfi_executor_give_block,
    .chunk_run = cfi_chunk_run,
    .executor_start_all = cfi_executor_start_all,
    .queue_has_work = cfi_queue_has_work,
    .queue_claim = cfi_queue_claim,
    .completion_announce = cfi_completion_announce,
    .executor_run_cut = cfi_executor_run_cut,
    .observe_ending = cfi_observe_ending,
    .observe_ended = cfi_observe_ended,
    .executor_break = cfi_executor_break,
    .executor_init_failed = cfi_executor_init_failed,
};

const cfi_core_functions *cf_core_functions(unsigned version) {
    return version == CFI_CORE_VERSION ? &functions : NULL;
}
