/* In place of the mutex: one of simulated threads. */
#ifndef PLATFORM_LOCK_H
#define PLATFORM_LOCK_H

#include "hooks.h"

#include <pthread.h> /* as the mutex does: who includes this names threads */
#include <stdbool.h>

typedef sim_lock plat_lock;

#define PLAT_LOCK_INITIALIZER                                                                      \
    { 0 }

static inline void plat_lock_init(plat_lock *lock) {
    *lock = (plat_lock){0};
}

static inline void plat_lock_init_recursive(plat_lock *lock) {
    *lock = (plat_lock){.recursive = true};
}

static inline void plat_lock_destroy(plat_lock *lock) {
    (void)lock;
}

#define plat_lock_take(lock) sim_lock_take((lock), #lock, __func__)
#define plat_lock_try(lock)  sim_lock_try((lock), #lock, __func__)
#define plat_lock_give(lock) sim_lock_give((lock), #lock, __func__)

#endif
