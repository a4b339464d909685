/* Threads of the library. They block all signals, so that the program's handlers run on the
 * program's threads. */
#ifndef PLATFORM_THREAD_H
#define PLATFORM_THREAD_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

static inline void plat_signals_block(sigset_t *before) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, before);
}

static inline void plat_signals_restore(const sigset_t *before) {
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

/* Calls `run` in every child that is forked from now on. */
static inline bool plat_at_fork_in_child(void (*run)(void)) {
    return pthread_atfork(NULL, NULL, run) == 0;
}

/* False: the system refuses a thread. */
static inline bool plat_thread_start(pthread_t *thread, void *(*run)(void *), void *context) {
    sigset_t before;
    plat_signals_block(&before); /* the thread inherits it */
    int error = pthread_create(thread, NULL, run, context);
    plat_signals_restore(&before);
    return error == 0;
}

#endif
