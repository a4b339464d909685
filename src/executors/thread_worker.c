#include "executors/thread_worker.h"

#include "cfutures/worker/worker.h"

#include "platform/assert.h"
#include "platform/thread.h"
#include "platform/thread_id.h"

static const cfi_worker_hooks hooks = {.overrun = cfi_slot_vacate};

void cfi_thread_worker_run(cf_executor *executor, unsigned number) {
    cfi_record *record = &executor->queue.records[number];
    cfi_worker_end end;
    cfi_assert(number < executor->max_workers);
    plat_thread_name_worker(executor->config.name, number);
    if (executor->config.keeps_signal_mask) {
        plat_signals_restore(&executor->config.signal_mask);
    }
    plat_store_relaxed(&record->id, plat_thread_id());
    for (;;) {
        cfi_worker worker = {
            .queue = &executor->queue,
            .number = number,
            .config = &executor->config,
            .hooks = &hooks,
            .limits = &executor->limits,
        };
        end = cfi_worker_run(&worker);
        if (end != CFI_WORKER_RETIRED) {
            break;
        }
        plat_bump_owned(&record->retired, 1);
    }
    cfi_assert(plat_peek(&record->current) == 0); /* it leaves no task behind */
    if (end == CFI_WORKER_INIT_FAILED) {
        cfi_executor_init_failed(executor, number, 0);
    }
}
