/* A mutex of this process. Workers that are processes never take one: who holds a lock when it is
 * killed holds it for ever. */
#ifndef PLATFORM_LOCK_H
#define PLATFORM_LOCK_H

#include <pthread.h>
#include <stdbool.h>

typedef pthread_mutex_t cfi_lock;

#define CFI_LOCK_INITIALIZER PTHREAD_MUTEX_INITIALIZER

static inline void cfi_lock_init(cfi_lock *lock) {
    pthread_mutex_init(lock, NULL);
}

/* May be taken again by the thread that holds it. */
static inline void cfi_lock_init_recursive(cfi_lock *lock) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

static inline void cfi_lock_destroy(cfi_lock *lock) {
    pthread_mutex_destroy(lock);
}

static inline void cfi_lock_take(cfi_lock *lock) {
    pthread_mutex_lock(lock);
}

static inline bool cfi_lock_try(cfi_lock *lock) {
    return pthread_mutex_trylock(lock) == 0;
}

static inline void cfi_lock_give(cfi_lock *lock) {
    pthread_mutex_unlock(lock);
}

#endif
