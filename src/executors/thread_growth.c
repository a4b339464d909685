#include "executors/thread_growth.h"

#include "cfutures/core/submission.h"

#include "platform/assert.h"
#include "platform/clock.h"
#include "platform/refusal.h"
#include "platform/thread.h"
#include "platform/thread_id.h"
#include "platform/thread_state.h"

#include <stdlib.h>

enum {
    LOOK_MIN_NS = 500000,
    LOOK_MAX_NS = 8000000,
};

/* ---- a worker -------------------------------------------------------------------------------- */

/* The task that it runs was ended by the deadline thread. */
static bool is_abandoned(const thread_growth *growth, const cfi_record *record) {
    const uint32_t current = plat_load_acquire(&record->current);
    return current != 0 &&
           (plat_load_relaxed(&cfi_queue_slot(&growth->executor->queue, current - 1)->word) &
            CFI_OCCUPIED) != 0;
}

/* It sleeps because it finds no task, and is woken for those that wait. */
static bool is_idle(const cfi_record *record) {
    return plat_load_acquire(&record->ready) == CFI_READY &&
           plat_load_relaxed(&record->awake_since_ns) == 0;
}

typedef enum worker_state {
    BLOCKED, /* all the time since the look before; or now, if it was not there then */
    WOKEN,   /* it has run since, for less than half of the time */
    BUSY,    /* it has run longer, runs now, waits for a processor, or is about to */
    STATES
} worker_state;

static worker_state state_of(thread_growth *growth, unsigned worker, int64_t past_ns) {
    const cfi_record *record = &growth->executor->queue.records[worker];
    const int64_t id = plat_load_relaxed(&record->id);
    const int64_t cpu_ns = id != 0 ? plat_thread_cpu_ns(id) : -1;
    const int64_t used_ns = cpu_ns - growth->cpu_ns[worker];
    const bool is_new = growth->seen > 0 && worker >= growth->seen;
    growth->cpu_ns[worker] = cpu_ns;
    if (is_abandoned(growth, record)) {
        return BLOCKED;
    }
    if (cpu_ns < 0 || used_ns >= past_ns / 2 || is_idle(record) || plat_thread_is_runnable(id)) {
        return BUSY;
    }
    return used_ns > 0 && !is_new ? WOKEN : BLOCKED;
}

/* ---- a look ---------------------------------------------------------------------------------- */

static unsigned workers_wanted(thread_growth *growth, unsigned started, int64_t past_ns) {
    unsigned count[STATES] = {0};
    for (unsigned i = 0; i < started; i++) {
        count[state_of(growth, i, past_ns)]++;
    }
    growth->seen = started;
    const unsigned running = count[BUSY] + count[WOKEN];
    const unsigned processors = growth->executor->config.processors;
    if (running < processors) {
        const unsigned free = processors - running;
        return count[BLOCKED] > free ? count[BLOCKED] : free;
    }
    return past_ns >= LOOK_MAX_NS && count[BUSY] < processors ? (started + 3) / 4 : 0;
}

/* past_ns: since the look before. Returns the time until the next one. */
static int64_t look(thread_growth *growth, int64_t past_ns) {
    cf_executor *executor = growth->executor;
    const unsigned started = plat_load_relaxed(&executor->started);
    const unsigned wanted = workers_wanted(growth, started, past_ns);
    if (wanted > 0 && cfi_executor_add_workers(executor, wanted) > 0) {
        return LOOK_MIN_NS;
    }
    return 2 * past_ns < LOOK_MAX_NS ? 2 * past_ns : LOOK_MAX_NS;
}

/* ---- the thread ------------------------------------------------------------------------------ */

static bool tasks_wait(thread_growth *growth) {
    return cfi_queue_has_any_work(&growth->executor->queue);
}

static bool is_over(thread_growth *growth) {
    const cf_executor *executor = growth->executor;
    return plat_load_relaxed(&executor->started) == executor->max_workers ||
           (plat_load_acquire(&executor->stopping) && !tasks_wait(growth));
}

static void sleep_for(thread_growth *growth, int64_t time_ns) {
    const int64_t until_ns = plat_now_ns() + time_ns;
    uint32_t seen;
    do {
        seen = plat_event_seen(&growth->event);
    } while (!is_over(growth) && plat_event_sleep(&growth->event, seen, until_ns, false));
}

/* Until a task may wait, or the pool is stopped. */
static void sleep_until_rung(thread_growth *growth) {
    const uint32_t seen = plat_event_listen_heavy(&growth->event, false);
    if (!tasks_wait(growth) && !plat_load_acquire(&growth->executor->stopping)) {
        plat_event_sleep(&growth->event, seen, -1, false);
    }
    plat_event_disarm(&growth->event);
}

static void *growth_main(void *context) {
    thread_growth *growth = context;
    int64_t next_ns = LOOK_MIN_NS;
    bool waited = true; /* a task, at the look before */
    plat_thread_name("cf-growth");
    while (!is_over(growth)) {
        sleep_for(growth, next_ns);
        const bool wait = tasks_wait(growth);
        if (wait) {
            next_ns = look(growth, next_ns);
        } else if (waited) {
            next_ns = LOOK_MAX_NS;
        } else {
            sleep_until_rung(growth);
            next_ns = LOOK_MIN_NS;
        }
        waited = wait;
    }
    return NULL;
}

/* ---- from outside ---------------------------------------------------------------------------- */

bool thread_growth_init(thread_growth *growth, cf_executor *executor) {
    cfi_assert(executor->workers_at_once == executor->max_workers ||
               executor->config.processors > 0);
    growth->executor = executor;
    if (executor->workers_at_once < executor->max_workers) {
        growth->cpu_ns = plat_noted(calloc(executor->max_workers, sizeof *growth->cpu_ns));
        return growth->cpu_ns != NULL;
    }
    return true;
}

void thread_growth_destroy(thread_growth *growth) {
    free(growth->cpu_ns);
}

void thread_growth_wake(thread_growth *growth) {
    cfi_assert(plat_biased_lock_is_held(&growth->executor->lock));
    cfi_assert(growth->cpu_ns != NULL);
    if (growth->running) {
        plat_event_ring_light(&growth->event, false);
    } else { /* refused: the workers go on without it, and the next submit tries again */
        growth->running = plat_thread_start(&growth->thread, growth_main, growth) == 0;
    }
}

void thread_growth_tell(thread_growth *growth) {
    plat_event_ring_always(&growth->event, false);
}

void thread_growth_join(thread_growth *growth) {
    cf_executor *executor = growth->executor;
    cfi_assert(plat_peek(&executor->stopping)); /* nobody starts it any more */
    plat_biased_lock_take(&executor->lock);
    const bool running = growth->running;
    plat_biased_lock_give(&executor->lock);
    if (running) {
        plat_thread_join(growth->thread);
    }
}
