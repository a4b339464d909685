#include "platform/biased_lock.h"

#include "platform/spin.h"

#include <time.h>

enum {
    NEEDED_FIRST = 64,     /* streak that makes an owner: 64 * 20 ns, against 2 us for its end */
    NEEDED_MOST = 1 << 20, /* reached after fourteen ends */
    LOOKS = 100            /* before naps: an owner is inside for less, unless interrupted */
};

_Thread_local uint64_t cfi_thread_number;

static void number_thread(void) {
    static _Atomic uint64_t last;
    if (cfi_thread_number == 0) {
        cfi_thread_number = cfi_add_relaxed(&last, 1) + 1;
    }
}

void cfi_biased_lock_init(cfi_biased_lock *lock) {
    cfi_barrier_register();
    *lock = (cfi_biased_lock){.needed = NEEDED_FIRST};
    cfi_lock_init(&lock->mutex);
}

void cfi_biased_lock_destroy(cfi_biased_lock *lock) {
    cfi_lock_destroy(&lock->mutex);
}

/* Under the mutex. On return there is no owner, and the former one is outside. */
static void end_ownership(cfi_biased_lock *lock, uint64_t place) {
    static const struct timespec nap = {.tv_nsec = 20000};
    _Atomic uint32_t *inside = &lock->inside[place];
    cfi_store_relaxed(&lock->owner, 0);
    cfi_barrier_heavy(false); /* owner is written before inside is read */
    for (unsigned looks = 0; cfi_load_acquire(inside) != 0; looks++) {
        if (looks < LOOKS) {
            cfi_spin_pause();
        } else {
            nanosleep(&nap, NULL);
        }
    }
    lock->needed = lock->needed < NEEDED_MOST ? lock->needed * 2 : NEEDED_MOST;
    lock->streak = 0;
}

void cfi_biased_lock_take_mutex(cfi_biased_lock *lock) {
    number_thread();
    cfi_lock_take(&lock->mutex);
    uint64_t owner = cfi_load_relaxed(&lock->owner);
    if (owner != 0) {
        end_ownership(lock, owner % CFI_OWNERS);
    }
    lock->by_owner = false;
    lock->streak = lock->last == cfi_thread_number ? lock->streak + 1 : 0;
    lock->last = cfi_thread_number;
    cfi_biased_lock_note_holder(lock, cfi_thread_number);
}

/* The holder becomes the owner if it has a place or a place is free. */
static void begin_ownership(cfi_biased_lock *lock) {
    for (unsigned place = 0; place < CFI_OWNERS; place++) {
        if (lock->owners[place] == 0) {
            lock->owners[place] = cfi_thread_number;
        }
        if (lock->owners[place] == cfi_thread_number) {
            cfi_store_release(&lock->owner, cfi_thread_number * CFI_OWNERS + place);
            return;
        }
    }
    lock->streak = 0;
}

void cfi_biased_lock_give_mutex(cfi_biased_lock *lock) {
    if (lock->streak >= lock->needed) {
        begin_ownership(lock);
    }
    cfi_lock_give(&lock->mutex);
}
