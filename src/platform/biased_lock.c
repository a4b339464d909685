#include "platform/biased_lock.h"

#include "platform/cancellation.h"
#include "platform/spin.h"

#include <time.h>

enum {
    NEEDED_FIRST = 64,    /* streak that makes an owner: 64 * 20 ns, against 2 us for its end */
    NEEDED_MAX = 1 << 20, /* reached after fourteen ends */
    LOOKS = 100           /* before naps: an owner is inside for less, unless interrupted */
};

_Thread_local uint64_t plat_thread_number;

static void number_thread(void) {
    static _Atomic uint64_t last;
    if (plat_thread_number == 0) {
        plat_thread_number = plat_add_relaxed(&last, 1) + 1;
    }
}

void plat_biased_lock_init(plat_biased_lock *lock) {
    plat_barrier_register();
    *lock = (plat_biased_lock){.needed = NEEDED_FIRST};
    plat_lock_init(&lock->mutex);
}

void plat_biased_lock_destroy(plat_biased_lock *lock) {
    cfi_assert(!plat_biased_lock_is_held(lock));
    plat_lock_destroy(&lock->mutex);
}

/* Under the mutex. On return there is no owner, and the former one is outside. */
static void end_ownership(plat_biased_lock *lock, uint64_t place) {
    static const struct timespec nap = {.tv_nsec = 20000};
    _Atomic uint32_t *inside = &lock->inside[place];
    plat_store_relaxed(&lock->owner, 0);
    plat_barrier_heavy(false); /* owner is written before inside is read */
    for (unsigned looks = 0; plat_load_acquire(inside) != 0; looks++) {
        if (looks < LOOKS) {
            plat_spin_pause();
        } else {
            int held = plat_cancellation_hold();
            nanosleep(&nap, NULL);
            plat_cancellation_release(held);
        }
    }
    lock->needed = lock->needed < NEEDED_MAX ? lock->needed * 2 : NEEDED_MAX;
    lock->streak = 0;
}

void plat_biased_lock_take_mutex(plat_biased_lock *lock) {
    number_thread();
    plat_lock_take(&lock->mutex);
    uint64_t owner = plat_load_relaxed(&lock->owner);
    cfi_assert(!plat_owner_is_me(owner)); /* only the owner makes itself the owner */
    if (owner != 0) {
        cfi_assert(lock->owners[owner % PLAT_OWNERS] == owner / PLAT_OWNERS);
        end_ownership(lock, owner % PLAT_OWNERS);
    }
    lock->by_owner = false;
    lock->streak = lock->last == plat_thread_number ? lock->streak + 1 : 0;
    lock->last = plat_thread_number;
    plat_biased_lock_note_holder(lock, plat_thread_number);
}

/* The holder becomes the owner if it has a place or a place is free. */
static void begin_ownership(plat_biased_lock *lock) {
    cfi_assert(plat_peek(&lock->owner) == 0 && lock->last == plat_thread_number);
    for (unsigned place = 0; place < PLAT_OWNERS; place++) {
        if (lock->owners[place] == 0) {
            lock->owners[place] = plat_thread_number;
        }
        if (lock->owners[place] == plat_thread_number) {
            cfi_assert(plat_peek(&lock->inside[place]) == 0);
            plat_store_release(&lock->owner, plat_thread_number * PLAT_OWNERS + place);
            return;
        }
    }
    lock->streak = 0;
}

void plat_biased_lock_give_mutex(plat_biased_lock *lock) {
    if (lock->streak >= lock->needed) {
        begin_ownership(lock);
    }
    plat_lock_give(&lock->mutex);
}
