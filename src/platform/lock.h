/* A mutex of this process. Worker processes never take one: if a worker is killed while it holds a
 * lock, the lock stays taken forever. */
#ifndef PLATFORM_LOCK_H
#define PLATFORM_LOCK_H

#include "platform/assert.h"

#include <pthread.h>
#include <stdbool.h>

typedef pthread_mutex_t plat_lock;

#define PLAT_LOCK_INITIALIZER PTHREAD_MUTEX_INITIALIZER

static inline void plat_lock_init_of_type(plat_lock *lock, int type) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, type);
    pthread_mutex_init(lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

/* With assertions on, the mutex knows its holder, and refuses it a second take. */
static inline void plat_lock_init(plat_lock *lock) {
#ifdef CFI_ASSERTIONS
    plat_lock_init_of_type(lock, PTHREAD_MUTEX_ERRORCHECK);
#else
    pthread_mutex_init(lock, NULL);
#endif
}

/* The thread that holds it may take it again. */
static inline void plat_lock_init_recursive(plat_lock *lock) {
    plat_lock_init_of_type(lock, PTHREAD_MUTEX_RECURSIVE);
}

static inline void plat_lock_destroy(plat_lock *lock) {
    int error = pthread_mutex_destroy(lock);
    cfi_assert(error == 0); /* nobody holds it */
    (void)error;
}

static inline void plat_lock_take(plat_lock *lock) {
    int error = pthread_mutex_lock(lock);
    cfi_assert(error == 0);
    (void)error;
}

static inline bool plat_lock_try(plat_lock *lock) {
    return pthread_mutex_trylock(lock) == 0;
}

static inline void plat_lock_give(plat_lock *lock) {
    pthread_mutex_unlock(lock);
}

#endif
