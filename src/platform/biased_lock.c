#include "platform/biased_lock.h"

#include "platform/futex.h"

enum {
    NEEDED_FIRST = 64,
    NEEDED_MOST = 1 << 20
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

/* Under the mutex. Afterwards the owner, which may be this very thread, is nobody and outside. */
static void end_ownership(cfi_biased_lock *lock) {
    cfi_store_relaxed(&lock->owner, 0);
    cfi_barrier_heavy(false); /* owner is written before inside is read */
    while (cfi_load_acquire(&lock->inside) != 0) {
        cfi_futex_wait(&lock->inside, 1, -1, false);
    }
    lock->needed = lock->needed < NEEDED_MOST ? lock->needed * 2 : NEEDED_MOST;
    lock->streak = 0;
}

void cfi_biased_lock_take_mutex(cfi_biased_lock *lock) {
    number_thread();
    cfi_lock_take(&lock->mutex);
    if (cfi_load_relaxed(&lock->owner) != 0) {
        end_ownership(lock);
    }
    lock->by_owner = false;
    lock->streak = lock->last == cfi_thread_number ? lock->streak + 1 : 0;
    lock->last = cfi_thread_number;
}

void cfi_biased_lock_give_mutex(cfi_biased_lock *lock) {
    if (lock->streak >= lock->needed) {
        cfi_store_release(&lock->owner, cfi_thread_number);
    }
    cfi_lock_give(&lock->mutex);
}

void cfi_biased_lock_wake(cfi_biased_lock *lock) {
    cfi_futex_wake_all(&lock->inside, false);
}
