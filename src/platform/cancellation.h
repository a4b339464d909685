/* Holds off pthread_cancel for the calling thread: a call of the system that is a cancellation point
 * must not end it while it holds a lock, or has half made something. Deferred cancellation only.
 *
 *      int held = plat_cancellation_hold();
 *      ...
 *      plat_cancellation_release(held); */
#ifndef PLATFORM_CANCELLATION_H
#define PLATFORM_CANCELLATION_H

#include <pthread.h>

static inline int plat_cancellation_hold(void) {
    int before;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    return before;
}

static inline void plat_cancellation_release(int before) {
    pthread_setcancelstate(before, NULL);
}

#endif
