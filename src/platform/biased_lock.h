/* A mutex of this process that costs its usual thread no locked instruction.
 *
 * A thread that has taken the lock often enough, with no other in between, becomes its owner. The
 * owner enters by a store and a load with the light barrier between them. Every other thread takes
 * the mutex, and ends the ownership first:
 *
 *      owner                               another thread, holding the mutex
 *      inside = 1                          owner = none
 *      light barrier                       heavy barrier
 *      still the owner? then it has it     wait until inside == 0
 *      else inside = 0, take the mutex
 *      giving: inside = 0
 *
 *   - Two threads never have it: each side writes its word before it reads the other's, with the
 *     asymmetric barrier between. So the owner sees that it no longer is the owner, or the other
 *     thread sees it inside.
 *   - No deadlock: an owner inside waits for no thread here, and a refused owner holds nothing
 *     while it takes the mutex.
 *   - The thread that waits looks again and again, soon with naps in between. It is not woken:
 *     `inside = 0` is the owner's last access to the lock, which may be freed right after it.
 *   - A former owner may write its `inside` at any later time, before it sees that it no longer is
 *     the owner. So each owner has an `inside` of its own forever, and only the first PLAT_OWNERS
 *     threads that qualify can become owners.
 *   - To end an ownership costs some 2 us, so each end doubles the streak that makes an owner.
 *   - Why not a lock-free submit: submit was dear because of the mutex's two locked instructions
 *     right after stores that miss the cache, not because threads waited. An owner needs neither
 *     instruction, and the code under the lock stays as it was.
 *   - Measured: 3 ns to take and give. A mutex costs 20 ns, and 100 ns right after stores that miss
 *     the cache, since a locked instruction waits for them.
 *   - Not recursive. */
#ifndef PLATFORM_BIASED_LOCK_H
#define PLATFORM_BIASED_LOCK_H

#include "platform/assert.h"
#include "platform/atomic.h"
#include "platform/barrier.h"
#include "platform/lock.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    PLAT_OWNERS = 4 /* threads that can become owners of one lock, one after the other */
};

typedef struct plat_biased_lock {
    plat_lock mutex;
    /* A thread's number * PLAT_OWNERS + its place below; 0 = none. A thread makes itself the owner
     * while it holds the lock; others set it to none, under the mutex. */
    _Atomic uint64_t owner;
    _Atomic uint32_t inside[PLAT_OWNERS]; /* 0 or 1; only the thread of that place writes it */
    /* The fields below belong to the holder. */
    uint64_t owners[PLAT_OWNERS]; /* by place: its thread's number; 0 = free */
    uint64_t last;                /* the thread that took the mutex last */
    uint32_t streak;              /* how often that thread has taken it in a row */
    uint32_t needed;              /* how long a streak makes an owner */
    bool by_owner;                /* the lock is held as its owner, without the mutex */
    uint8_t place;                /* if so: the owner's place */
#ifdef CFI_ASSERTIONS
    uint64_t holder; /* its thread's number; 0 = nobody holds the lock */
#endif
} plat_biased_lock;

void plat_biased_lock_init(plat_biased_lock *lock);
void plat_biased_lock_destroy(plat_biased_lock *lock);

/* The slow ways. */
void plat_biased_lock_take_mutex(plat_biased_lock *lock);
void plat_biased_lock_give_mutex(plat_biased_lock *lock);

/* The calling thread's number; no other thread of the process ever has it. 0: none yet. */
extern _Thread_local uint64_t plat_thread_number __attribute__((tls_model("initial-exec")));

/* For assertions. Elsewhere the holder is not known, and every thread may be it. */
static inline bool plat_biased_lock_is_held(const plat_biased_lock *lock) {
#ifdef CFI_ASSERTIONS
    return plat_thread_number != 0 &&
           __atomic_load_n(&lock->holder, __ATOMIC_RELAXED) == plat_thread_number;
#else
    (void)lock;
    return true;
#endif
}

static inline void plat_biased_lock_note_holder(plat_biased_lock *lock, uint64_t thread) {
#ifdef CFI_ASSERTIONS
    cfi_assert((thread == 0) == (__atomic_load_n(&lock->holder, __ATOMIC_RELAXED) != 0));
    __atomic_store_n(&lock->holder, thread, __ATOMIC_RELAXED);
#else
    (void)lock, (void)thread;
#endif
}

static inline bool plat_owner_is_me(uint64_t owner) {
    return owner != 0 && owner / PLAT_OWNERS == plat_thread_number;
}

/* The calling thread is the owner now; another thread may end that at any time. */
static inline bool plat_biased_lock_is_mine(plat_biased_lock *lock) {
    return plat_owner_is_me(plat_load_relaxed(&lock->owner));
}

static inline void plat_biased_lock_take(plat_biased_lock *lock) {
    cfi_assert(!plat_biased_lock_is_held(lock));
    uint64_t owner = plat_load_acquire(&lock->owner);
    if (plat_owner_is_me(owner)) {
        unsigned place = (unsigned)(owner % PLAT_OWNERS);
        plat_store_relaxed(&lock->inside[place], 1);
        plat_barrier_light(); /* inside is written before owner is read */
        if (plat_load_acquire(&lock->owner) == owner) {
            lock->by_owner = true;
            lock->place = (uint8_t)place;
            plat_biased_lock_note_holder(lock, plat_thread_number);
            return;
        }
        plat_store_release(&lock->inside[place], 0);
    }
    plat_biased_lock_take_mutex(lock);
}

static inline void plat_biased_lock_give(plat_biased_lock *lock) {
    cfi_assert(plat_biased_lock_is_held(lock));
    plat_biased_lock_note_holder(lock, 0);
    if (lock->by_owner) {
        cfi_assert(plat_peek(&lock->inside[lock->place]) == 1);
        plat_store_release(&lock->inside[lock->place], 0);
    } else {
        plat_biased_lock_give_mutex(lock);
    }
}

#endif
