/* In place of the mutex: one of simulated threads. */
#ifndef PLATFORM_LOCK_H
#define PLATFORM_LOCK_H

#include "hooks.h"

#include <pthread.h> /* as the mutex does: who includes this names threads */
#include <stdbool.h>

typedef sim_lock cfi_lock;

#define CFI_LOCK_INITIALIZER                                                                       \
    { 0 }

static inline void cfi_lock_init(cfi_lock *lock) {
    *lock = (cfi_lock){0};
}

static inline void cfi_lock_init_recursive(cfi_lock *lock) {
    *lock = (cfi_lock){.recursive = true};
}

static inline void cfi_lock_destroy(cfi_lock *lock) {
    (void)lock;
}

#define cfi_lock_take(lock) sim_lock_take((lock), #lock, __func__)
#define cfi_lock_try(lock)  sim_lock_try((lock), #lock, __func__)
#define cfi_lock_give(lock) sim_lock_give((lock), #lock, __func__)

#endif
