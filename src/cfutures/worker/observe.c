#include "cfutures/worker/observe.h"

#include "cfutures/queue/times.h"
#include "cfutures/worker/chunk.h"

#include "platform/assert.h"

/* Each member once, where the entry lies: a worker does this for each task. */
void cfi_observe_task(cfi_event *event, const cfi_queue *queue, cf_event_kind kind, unsigned entry,
                      const void *arg, const int64_t *limit, const cfi_times *times,
                      unsigned attempt) {
    cfi_assert(times != NULL && entry < CFI_TASKS_MAX);
    event->at_ns = 0;
    event->submitted_ns = plat_load_relaxed(&times->submitted_ns);
    event->begun_ns = 0;
    event->task = plat_load_relaxed(&times->number);
    event->detail = 0;
    event->entry = (uint16_t)entry;
    event->kind = (uint8_t)kind;
    event->outcome = CF_OK;
    if (plat_load_relaxed(&queue->tasks[entry]) == cfi_chunk_run) {
        const cfi_chunk_header *header = arg;
        event->first = header->first;
        event->count = header->count;
        event->attempt = attempt + (attempt > 0 ? header->attempt - 1 : 0);
        event->limit_ns = header->timeout_ns > 0 ? header->timeout_ns : 0;
    } else {
        event->first = 0;
        event->count = 0;
        event->attempt = attempt;
        event->limit_ns = limit != NULL ? *limit : 0;
    }
}

static void observe_slot(cfi_event *event, const cfi_queue *queue, cf_event_kind kind,
                         const cfi_slot *slot, uint64_t word) {
    cfi_observe_task(event, queue, kind, slot->kind & CFI_KIND_TASK,
                     cfi_slot_arg((cfi_slot *)(uintptr_t)slot, queue->base),
                     cfi_slot_limit((cfi_slot *)(uintptr_t)slot, queue->base),
                     cfi_times_at(queue, slot), cfi_word_attempts(word));
}

void cfi_observe_begun(const cfi_queue *queue, unsigned worker, const cfi_slot *slot,
                       uint64_t word) {
    if (cfi_events_want(queue->events, CF_EVENT_BEGUN)) {
        cfi_event *event = cfi_events_next(queue->events, worker);
        observe_slot(event, queue, CF_EVENT_BEGUN, slot, word);
        event->at_ns = plat_load_relaxed(&cfi_times_at(queue, slot)->started_ns);
        cfi_events_written(queue->events, worker);
        cfi_events_publish(queue->events, worker);
    }
}

void cfi_observe_ending(const cfi_queue *queue, unsigned worker, const cfi_slot *slot,
                        uint64_t word, bool late) {
    if (cfi_events_want(queue->events, CF_EVENT_ENDED)) {
        const cfi_times *times = cfi_times_at(queue, slot);
        cfi_event *event = cfi_events_next(queue->events, worker);
        observe_slot(event, queue, CF_EVENT_ENDED, slot, word);
        event->at_ns = plat_load_relaxed(&times->finished_ns);
        event->begun_ns = plat_load_relaxed(&times->started_ns);
        event->detail = slot->detail;
        event->outcome = (uint8_t)(late ? CF_EDEADLINE : slot->outcome);
        cfi_events_written(queue->events, worker);
    }
}

void cfi_observe_ended(const cfi_queue *queue, unsigned worker, bool settled) {
    if (cfi_events_want(queue->events, CF_EVENT_ENDED)) {
        if (settled) {
            cfi_events_publish(queue->events, worker);
        } else {
            cfi_events_forget(queue->events, worker);
        }
    }
}

static cfi_event life_of(const cfi_queue *queue, unsigned worker, cf_event_kind kind) {
    return (cfi_event){
        .kind = (uint8_t)kind,
        .at_ns = plat_now_ns(),
        .task = (uint64_t)plat_load_relaxed(&queue->records[worker].id),
    };
}

void cfi_observe_start(const cfi_queue *queue, unsigned worker) {
    if (cfi_events_want(queue->events, CF_EVENT_WORKER_STARTED)) {
        const cfi_event event = life_of(queue, worker, CF_EVENT_WORKER_STARTED);
        cfi_events_tell_start(queue->events, worker, &event);
    }
}

void cfi_observe_end(const cfi_queue *queue, unsigned worker) {
    if (cfi_events_want(queue->events, CF_EVENT_WORKER_GONE)) {
        cfi_events_end_life(queue->events, worker);
        *cfi_events_next(queue->events, worker) = life_of(queue, worker, CF_EVENT_WORKER_GONE);
        cfi_events_written(queue->events, worker);
        cfi_events_publish(queue->events, worker);
    }
}
