#include "executors/thread_worker.h"

#include "cfutures/worker/worker.h"

#include "platform/thread_id.h"

static const cfi_worker_hooks hooks = {.overrun = cfi_slot_vacate};

void cfi_thread_worker_run(cf_executor *executor, unsigned number) {
    cfi_record *record = &executor->queue.records[number];
    cfi_worker_end end;
    cfi_thread_name_worker(executor->life.name, number);
    cfi_store_relaxed(&record->id, cfi_thread_id());
    for (;;) {
        cfi_worker worker = {
            .queue = &executor->queue,
            .number = number,
            .life = &executor->life,
            .hooks = &hooks,
            .limits = &executor->limits,
        };
        end = cfi_worker_run(&worker);
        if (end != CFI_WORKER_RETIRED) {
            break;
        }
        cfi_bump_owned(&record->retired, 1);
    }
    if (end == CFI_WORKER_UNFIT) {
        cfi_executor_unfit(executor, number, 0);
    }
}
