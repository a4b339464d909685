/* A mutex of this process that costs the thread which usually takes it no locked instruction.
 *
 * A thread that has taken the lock often enough with no other in between becomes its owner. From
 * then on it enters by a store and a load with the light barrier between them; everybody else takes
 * the mutex, and ends the ownership first:
 *
 *      owner                               another, holding the mutex
 *      inside = 1                          owner = nobody
 *      light barrier                       heavy barrier
 *      still the owner? then it has it     wait until inside == 0
 *      else inside = 0, take the mutex
 *      giving: inside = 0
 *
 * Why two never have it: each writes its word before it reads the other's, with the asymmetric
 * barrier between, so either the owner sees that it is none any more or the other sees it inside.
 * No deadlock: the owner inside waits for nobody here, and one that was refused holds nothing while
 * it takes the mutex. Who waits looks again and again, soon with naps in between, and is not woken:
 * `inside = 0` is the last that the owner has to do with the lock, which may be freed then.
 *
 * A thread that was the owner may still be on its way to finding out that it is none, however long
 * ago that was, and writes its `inside` meanwhile. So each owner has one of its own, for ever, and
 * only the first few threads that would be owners can.
 *
 * To end an ownership costs some 2 us, so each end doubles the number of takings in a row that make
 * an owner. Measured: 3 ns to take and give where a mutex costs 20, and 100 right after stores that
 * miss the cache, which a locked instruction has to wait for. Not recursive. */
#ifndef PLATFORM_BIASED_LOCK_H
#define PLATFORM_BIASED_LOCK_H

#include "platform/atomic.h"
#include "platform/barrier.h"
#include "platform/lock.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    CFI_OWNERS = 4 /* threads that can be owners of one lock, one after the other */
};

typedef struct cfi_biased_lock {
    cfi_lock mutex;
    /* A thread's number * CFI_OWNERS + its place below, 0 = nobody. Set to one by that thread while
     * it holds the lock, to nobody by others, under the mutex. */
    _Atomic uint64_t owner;
    _Atomic uint32_t inside[CFI_OWNERS]; /* 0 or 1: written by the one whose place it is */
    /* all below are the holder's */
    uint64_t owners[CFI_OWNERS]; /* whose places these are; 0 = nobody's yet */
    uint64_t last;               /* who took the mutex last, */
    uint32_t streak;             /* how often in a row, */
    uint32_t needed;             /* and how often makes an owner */
    bool by_owner;               /* how it is held, */
    uint8_t place;               /* and from which place */
} cfi_biased_lock;

void cfi_biased_lock_init(cfi_biased_lock *lock);
void cfi_biased_lock_destroy(cfi_biased_lock *lock);

/* The slow ways. */
void cfi_biased_lock_take_mutex(cfi_biased_lock *lock);
void cfi_biased_lock_give_mutex(cfi_biased_lock *lock);

/* The calling thread's number, which no other thread of the process ever has. 0: has none yet. */
extern _Thread_local uint64_t cfi_thread_number __attribute__((tls_model("initial-exec")));

static inline bool cfi_owner_is_me(uint64_t owner) {
    return owner != 0 && owner / CFI_OWNERS == cfi_thread_number;
}

/* The calling thread is the owner; it may not be for long. */
static inline bool cfi_biased_lock_is_mine(cfi_biased_lock *lock) {
    return cfi_owner_is_me(cfi_load_relaxed(&lock->owner));
}

static inline void cfi_biased_lock_take(cfi_biased_lock *lock) {
    uint64_t owner = cfi_load_acquire(&lock->owner);
    if (cfi_owner_is_me(owner)) {
        unsigned place = (unsigned)(owner % CFI_OWNERS);
        cfi_store_relaxed(&lock->inside[place], 1);
        cfi_barrier_light(); /* inside is written before owner is read */
        if (cfi_load_acquire(&lock->owner) == owner) {
            lock->by_owner = true;
            lock->place = (uint8_t)place;
            return;
        }
        cfi_store_release(&lock->inside[place], 0);
    }
    cfi_biased_lock_take_mutex(lock);
}

static inline void cfi_biased_lock_give(cfi_biased_lock *lock) {
    if (lock->by_owner) {
        cfi_store_release(&lock->inside[lock->place], 0);
    } else {
        cfi_biased_lock_give_mutex(lock);
    }
}

#endif
