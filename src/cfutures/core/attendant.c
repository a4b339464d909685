#include "cfutures/core/attendant.h"

#include "platform/assert.h"
#include "platform/atomic.h"
#include "platform/thread.h"

void cfi_attendant_init(cfi_attendant *attendant) {
    cfi_lock_init(&attendant->lock);
}

void cfi_attendant_destroy(cfi_attendant *attendant) {
    cfi_lock_destroy(&attendant->lock);
}

bool cfi_attendant_runs(const cfi_attendant *attendant) {
    return cfi_load_acquire(&attendant->running);
}

bool cfi_attendant_start(cfi_attendant *attendant, void *(*run)(void *), void *context) {
    if (cfi_attendant_runs(attendant)) {
        return true;
    }
    bool started = true;
    cfi_lock_take(&attendant->lock);
    if (!cfi_load_relaxed(&attendant->running) && !cfi_load_relaxed(&attendant->stopped)) {
        started = cfi_thread_start(&attendant->thread, run, context);
        cfi_store_release(&attendant->running, started);
    }
    cfi_lock_give(&attendant->lock);
    return started;
}

void cfi_attendant_stop(cfi_attendant *attendant, void (*ring)(void *), void *context) {
    cfi_lock_take(&attendant->lock);
    cfi_assert(!cfi_peek(&attendant->stopped)); /* once */
    cfi_store_release(&attendant->stopped, true);
    bool running = cfi_load_relaxed(&attendant->running);
    cfi_lock_give(&attendant->lock);
    if (running) {
        ring(context);
        pthread_join(attendant->thread, NULL);
    }
}
