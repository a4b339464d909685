#include "cfutures/core/attendant.h"

#include "platform/assert.h"
#include "platform/atomic.h"
#include "platform/refusal.h"
#include "platform/thread.h"

void cfi_attendant_init(cfi_attendant *attendant) {
    plat_lock_init(&attendant->lock);
}

void cfi_attendant_destroy(cfi_attendant *attendant) {
    cfi_assert(!plat_peek(&attendant->running) || plat_peek(&attendant->stopped));
    plat_lock_destroy(&attendant->lock);
}

bool cfi_attendant_runs(const cfi_attendant *attendant) {
    return plat_load_acquire(&attendant->running);
}

bool cfi_attendant_start(cfi_attendant *attendant, void *(*run)(void *), void *context) {
    if (cfi_attendant_runs(attendant)) {
        return true;
    }
    int error = 0;
    plat_lock_take(&attendant->lock);
    if (!plat_load_relaxed(&attendant->running) && !plat_load_relaxed(&attendant->stopped)) {
        error = plat_thread_start(&attendant->thread, run, context);
        plat_store_release(&attendant->running, error == 0);
    }
    cfi_assert((error == 0) == (plat_peek(&attendant->running) || plat_peek(&attendant->stopped)));
    plat_lock_give(&attendant->lock);
    if (error != 0) {
        plat_refusal_note("pthread_create", error);
    }
    return error == 0;
}

void cfi_attendant_stop(cfi_attendant *attendant, void (*ring)(void *), void *context) {
    plat_lock_take(&attendant->lock);
    cfi_assert(!plat_peek(&attendant->stopped)); /* once */
    plat_store_release(&attendant->stopped, true);
    bool running = plat_load_relaxed(&attendant->running);
    plat_lock_give(&attendant->lock);
    if (running) {
        ring(context);
        plat_thread_join(attendant->thread);
    }
}
