#include "cfutures/core/observer.h"

#include "cfutures/queue/times.h"
#include "cfutures/worker/observe.h"

#include "platform/clock.h"
#include "platform/thread_id.h"
#include "platform/wait_status.h"

#include <stdlib.h>

enum {
    AT_ONCE = 64, /* events that `observe` gets in one call */
    QUIET_LOOKS = 2,
};

#define OBSERVER_LOOK_NS INT64_C(4000000)

/* ---- what the caller's process has to tell ---------------------------------------------------- */

static cfi_event event_of(cf_executor *executor, cf_event_kind kind, const cf_future *future,
                          unsigned attempt) {
    cfi_event event;
    char *base = executor->queue.base;
    const unsigned entry = cfi_slot_of(future)->kind & CFI_KIND_TASK;
    cfi_observe_task(&event, &executor->queue, kind, entry < executor->tasks.count ? entry : 0,
                     cfi_future_arg(future, base), cfi_future_limit(future, base),
                     cfi_times_of(&executor->queue, future), attempt);
    return event;
}

void cfi_observer_submitted(cf_executor *executor, const cf_future *future) {
    if (cfi_events_want(executor->queue.events, CF_EVENT_SUBMITTED)) {
        cfi_event event = event_of(executor, CF_EVENT_SUBMITTED, future, 0);
        event.at_ns = event.submitted_ns;
        cfi_events_note(executor->queue.events, -1, &event);
    }
}

void cfi_observer_dropped(cf_executor *executor, const cf_future *future, cf_status status) {
    if (cfi_events_want(executor->queue.events, CF_EVENT_DROPPED)) {
        cfi_event event = event_of(executor, CF_EVENT_DROPPED, future, 0);
        event.at_ns = plat_now_ns();
        event.outcome = (uint8_t)status;
        cfi_events_note(executor->queue.events, -1, &event);
    }
}

void cfi_observer_cut(cf_executor *executor, const cf_future *future, const cfi_cut_run *run) {
    if (cfi_events_want(executor->queue.events, run->kind)) {
        const cfi_times *times = cfi_times_of(&executor->queue, future);
        cfi_event event = event_of(executor, run->kind, future, run->attempt);
        event.at_ns = plat_now_ns();
        const int64_t started_ns = plat_load_relaxed(&times->started_ns);
        event.begun_ns = started_ns != 0 ? started_ns : event.at_ns; /* its worker died at once */
        event.outcome = (uint8_t)run->outcome;
        event.detail = run->wait_status;
        cfi_events_note(executor->queue.events, (int)run->worker, &event);
    }
}

void cfi_observer_gone(cf_executor *executor, unsigned worker, int wait_status) {
    const cfi_events *events = executor->queue.events;
    if (cfi_events_end_life(events, worker) && cfi_events_want(events, CF_EVENT_WORKER_GONE)) {
        const cfi_event event = {
            .kind = CF_EVENT_WORKER_GONE,
            .at_ns = plat_now_ns(),
            .task = (uint64_t)plat_load_relaxed(&executor->queue.records[worker].id),
            .outcome = (uint8_t)(wait_status != 0 ? CF_EWORKER : CF_OK),
            .detail = wait_status,
        };
        cfi_events_note(executor->queue.events, (int)worker, &event);
    }
}

/* ---- the thread ------------------------------------------------------------------------------- */

typedef struct telling {
    cf_executor *executor;
    const char **names; /* of the task table's entries, as far as they were needed */
    uint32_t names_count;
    cf_event events[AT_ONCE];
    size_t count;
} telling;

static void flush(telling *self) {
    const cf_observer *observer = &self->executor->queue.events->observer;
    if (self->count > 0) {
        observer->observe(observer->context, self->events, self->count);
        self->count = 0;
    }
}

/* The lock would cost its owner the ownership, so it is taken for new tasks only. */
static void learn_names(telling *self) {
    cf_executor *executor = self->executor;
    plat_biased_lock_take(&executor->lock);
    const char **names = realloc(self->names, executor->tasks.count * sizeof *names);
    if (names != NULL) {
        self->names = names;
        for (; self->names_count < executor->tasks.count; self->names_count++) {
            names[self->names_count] = executor->tasks.entries[self->names_count]->name;
        }
    }
    plat_biased_lock_give(&executor->lock);
}

static const char *name_of(telling *self, uint16_t entry) {
    if (entry >= self->names_count) {
        learn_names(self);
    }
    return entry < self->names_count ? self->names[entry] : cfi_task_default_name;
}

static cf_exception exception_of(const cfi_event *event, int worker) {
    cf_exception exception = {.status = (cf_status)event->outcome, .worker = worker};
    if (exception.status == CF_ETASK) {
        exception.task_error = event->detail;
    } else if (exception.status == CF_EWORKER) {
        exception.signal = plat_wait_status_signal(event->detail);
        exception.exit_code = plat_wait_status_exit_code(event->detail);
    } else if (exception.status == CF_EDEADLINE) {
        exception.timeout_ns = event->limit_ns;
    }
    return exception;
}

static void tell(telling *self, const cfi_event *event, int worker) {
    const bool is_life =
        event->kind == CF_EVENT_WORKER_STARTED || event->kind == CF_EVENT_WORKER_GONE;
    if (self->count == AT_ONCE) {
        flush(self);
    }
    /* Each member once: to clear the event first would take half as long as all else. */
    const bool is_task = !is_life && event->kind != CF_EVENT_LOST;
    cf_event *told = &self->events[self->count++];
    told->kind = (cf_event_kind)event->kind;
    told->worker = worker;
    told->at_ns = event->at_ns;
    told->task = is_task ? event->task : 0;
    told->name = is_task ? name_of(self, event->entry) : NULL;
    told->attempt = is_task ? event->attempt : 0;
    told->first = is_task ? event->first : 0;
    told->count = event->count;
    told->submitted_ns = is_task ? event->submitted_ns : 0;
    told->begun_ns = is_task ? event->begun_ns : 0;
    told->exception = exception_of(event, worker);
    told->id = is_life ? (int64_t)event->task : 0;
}

static bool tell_notes(telling *self) {
    size_t count;
    uint64_t lost;
    cfi_event_note *notes = cfi_events_take_notes(self->executor->queue.events, &count, &lost);
    for (size_t i = 0; i < count; i++) {
        tell(self, &notes[i].event, notes[i].worker);
    }
    free(notes);
    while (lost > 0) {
        const uint32_t some = lost < UINT32_MAX ? (uint32_t)lost : UINT32_MAX;
        tell(self, &(cfi_event){.kind = CF_EVENT_LOST, .at_ns = plat_now_ns(), .count = some}, -1);
        lost -= some;
    }
    return count > 0;
}

static bool tell_ring(telling *self, unsigned worker) {
    const cfi_events *events = self->executor->queue.events;
    const cfi_event *first;
    size_t told = 0, count;
    /* At most one ring's worth, so that a worker that adds events endlessly does not keep the others waiting. */
    while (told < events->entries && (count = cfi_events_look(events, worker, &first)) > 0) {
        const size_t some = count < AT_ONCE ? count : AT_ONCE;
        for (size_t i = 0; i < some; i++) {
            tell(self, &first[i], (int)worker);
        }
        cfi_events_take(events, worker, some);
        told += some;
    }
    return told > 0;
}

/* True: something was told. The notes come last, so that a dead worker's end is told after its runs. */
static bool tell_all(telling *self) {
    bool any = false;
    for (unsigned i = 0; i < self->executor->max_workers; i++) {
        any = tell_ring(self, i) || any;
    }
    any = tell_notes(self) || any;
    flush(self);
    return any;
}

static void sleep_quietly(telling *self) {
    cfi_events *events = self->executor->queue.events;
    const uint32_t seen = plat_event_listen_heavy(events->bell, events->shared);
    if (!tell_all(self) && !plat_load_acquire(&self->executor->observing.stopped)) {
        plat_event_sleep(events->bell, seen, -1, events->shared);
    }
    plat_event_disarm(events->bell);
}

static void *observer_main(void *context) {
    telling self = {.executor = context};
    cfi_events *events = self.executor->queue.events;
    plat_thread_name("cf-observer");
    int quiet = 0;
    for (;;) {
        const uint32_t seen = plat_event_seen(events->bell);
        const bool stopped = plat_load_acquire(&self.executor->observing.stopped);
        quiet = tell_all(&self) ? 0 : quiet + 1;
        if (stopped) {
            break;
        }
        if (quiet >= QUIET_LOOKS) {
            sleep_quietly(&self);
        } else {
            plat_event_sleep(events->bell, seen, plat_now_ns() + OBSERVER_LOOK_NS, events->shared);
        }
    }
    free(self.names);
    return NULL;
}

static void ring(void *context) {
    const cf_executor *executor = context;
    plat_event_ring_always(executor->queue.events->bell, executor->queue.shared);
}

cf_status cfi_observer_start(cf_executor *executor) {
    if (executor->queue.events == NULL || cfi_attendant_runs(&executor->observing)) {
        return CF_OK;
    }
    return cfi_attendant_start(&executor->observing, observer_main, executor) ? CF_OK : CF_EAGAIN;
}

void cfi_observer_stop(cf_executor *executor) {
    if (executor->queue.events != NULL) {
        cfi_attendant_stop(&executor->observing, ring, executor);
    }
}
