#include "executors/thread_worker.h"

#include "platform/thread_id.h"

static void leave_slot(cfi_slot *slot) {
    cfi_sub_relaxed(&cfi_executor_of(slot)->occupied, 1);
    cfi_slot_vacate(slot);
}

static const cfi_worker_hooks hooks = {.overrun = leave_slot};

void cfi_thread_worker_run(cf_executor *executor, unsigned number) {
    cfi_record *record = &executor->queue.records[number];
    cfi_worker_end end;
    cfi_thread_name_worker(executor->life.name, number);
    cfi_store_relaxed(&record->id, cfi_thread_id());
    while ((end = cfi_worker_run(&executor->queue, number, &executor->life, &hooks)) ==
           CFI_WORKER_RETIRED) {
        cfi_bump_owned(&record->retired, 1);
    }
    if (end == CFI_WORKER_UNFIT) {
        cfi_executor_unfit(executor, number, 0);
    }
}
