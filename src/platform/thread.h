/* Threads of the library. They block signals, so that the program's handlers run on the program's
 * threads. Two kinds stay open: signals that a fault raises, so that a crash reporter sees faults in
 * tasks, and SIGPROF, so that a profiler sees tasks. */
#ifndef PLATFORM_THREAD_H
#define PLATFORM_THREAD_H

#include "platform/cancellation.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

static inline void plat_signals_block(sigset_t *before) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, before);
}

static inline void plat_signals_restore(const sigset_t *before) {
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

static inline void plat_signals_get(sigset_t *mask) {
    pthread_sigmask(SIG_SETMASK, NULL, mask);
}

/* Calls `run` in every child that is forked from now on. */
static inline bool plat_at_fork_in_child(void (*run)(void)) {
    return pthread_atfork(NULL, NULL, run) == 0;
}

static inline void plat_signals_block_in_thread(sigset_t *before) {
    static const int open[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGPROF};
    sigset_t blocked;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof open / sizeof *open; i++) {
        sigdelset(&blocked, open[i]);
    }
    pthread_sigmask(SIG_SETMASK, &blocked, before);
}

/* Tasks of users run on these threads. glibc gives a thread as much stack as `ulimit -s` says, musl
 * 128 KiB, unless the program was linked with -z stack-size. */
static inline void plat_thread_set_stack(pthread_attr_t *attributes) {
#ifndef __GLIBC__
    const size_t least = (size_t)1 << 20;
    size_t size;
    if (pthread_attr_getstacksize(attributes, &size) == 0 && size < least) {
        pthread_attr_setstacksize(attributes, least);
    }
#else
    (void)attributes;
#endif
}

/* Not a cancellation point: the caller may hold a lock. */
static inline void plat_thread_join(pthread_t thread) {
    int held = plat_cancellation_hold();
    pthread_join(thread, NULL);
    plat_cancellation_release(held);
}

/* stack: bytes; 0, or a size that the system does not allow = as above. Returns 0, or the error
 * number with which the system refuses a thread. */
static inline int plat_thread_start_with_stack(pthread_t *thread, size_t stack,
                                               void *(*run)(void *), void *context) {
    sigset_t before;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    plat_thread_set_stack(&attributes);
    if (stack > 0) {
        pthread_attr_setstacksize(&attributes, stack);
    }
    plat_signals_block_in_thread(&before); /* the thread inherits it */
    int error = pthread_create(thread, &attributes, run, context);
    plat_signals_restore(&before);
    pthread_attr_destroy(&attributes);
    return error;
}

static inline int plat_thread_start(pthread_t *thread, void *(*run)(void *), void *context) {
    return plat_thread_start_with_stack(thread, 0, run, context);
}

#endif
