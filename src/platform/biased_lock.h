/* A mutex of this process that costs the thread which usually takes it no locked instruction.
 *
 * A thread that has taken the lock often enough with no other in between becomes its owner. From
 * then on it enters by a store and a load with the light barrier between them; everybody else takes
 * the mutex, and revokes the ownership first:
 *
 *      owner                               another, holding the mutex
 *      inside = 1                          owner = nobody
 *      light barrier                       heavy barrier
 *      still the owner? then it has it     wait until inside == 0
 *      else inside = 0, take the mutex
 *
 *      giving: inside = 0                  waiting: a futex on `inside`, while it is 1
 *      light barrier
 *      no longer the owner? wake
 *
 * Why two never have it: each writes its word before it reads the other's, with the asymmetric
 * barrier between, so either the owner sees that it is none any more or the other sees it inside.
 * No lost wake-up: the same two words, the other way round, when the owner leaves; and the kernel
 * compares `inside` before it lets the other sleep. No deadlock: the owner inside waits for nobody
 * here, and one that was refused holds nothing while it takes the mutex.
 *
 * To revoke costs some 2 us, so each one doubles the number of takings in a row that make an owner.
 * Measured: 3 ns to take and give where a mutex costs 20, and 100 right after stores that miss the
 * cache, which a locked instruction has to wait for. Not recursive. */
#ifndef PLATFORM_BIASED_LOCK_H
#define PLATFORM_BIASED_LOCK_H

#include "platform/atomic.h"
#include "platform/barrier.h"
#include "platform/lock.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct cfi_biased_lock {
    cfi_lock mutex;
    _Atomic uint64_t
        owner; /* a thread's number, 0 = nobody; set to one by itself while it holds the
                                lock, to nobody by others, under the mutex */
    _Atomic uint32_t inside; /* 0 or 1: the owner has it or tries to; written by the owner alone */
    bool by_owner;           /* how it is held: all below are the holder's */
    uint64_t last;           /* who took the mutex last, */
    uint32_t streak;         /* how often in a row, */
    uint32_t needed;         /* and how often makes an owner */
} cfi_biased_lock;

void cfi_biased_lock_init(cfi_biased_lock *lock);
void cfi_biased_lock_destroy(cfi_biased_lock *lock);

/* The slow ways. */
void cfi_biased_lock_take_mutex(cfi_biased_lock *lock);
void cfi_biased_lock_give_mutex(cfi_biased_lock *lock);
void cfi_biased_lock_wake(cfi_biased_lock *lock);

/* The calling thread's number, which no other thread of the process ever has. */
extern _Thread_local uint64_t cfi_thread_number __attribute__((tls_model("initial-exec")));

static inline bool cfi_biased_lock_is_mine(cfi_biased_lock *lock) {
    uint64_t owner = cfi_load_acquire(&lock->owner);
    return owner != 0 && owner == cfi_thread_number;
}

static inline void cfi_biased_lock_leave(cfi_biased_lock *lock) {
    cfi_store_release(&lock->inside, 0);
    cfi_barrier_light(); /* inside is written before owner is read */
    if (!cfi_biased_lock_is_mine(lock)) {
        cfi_biased_lock_wake(lock);
    }
}

static inline void cfi_biased_lock_take(cfi_biased_lock *lock) {
    if (cfi_biased_lock_is_mine(lock)) {
        cfi_store_relaxed(&lock->inside, 1);
        cfi_barrier_light(); /* inside is written before owner is read */
        if (cfi_biased_lock_is_mine(lock)) {
            lock->by_owner = true;
            return;
        }
        cfi_biased_lock_leave(lock);
    }
    cfi_biased_lock_take_mutex(lock);
}

static inline void cfi_biased_lock_give(cfi_biased_lock *lock) {
    if (lock->by_owner) {
        cfi_biased_lock_leave(lock);
    } else {
        cfi_biased_lock_give_mutex(lock);
    }
}

#endif
