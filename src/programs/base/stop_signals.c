#include "programs/base/stop_signals.h"

#include "programs/base/output.h"

#include <error.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

static const int SIGNALS[] = {SIGINT, SIGTERM, SIGHUP};
#define SIGNALS_COUNT (sizeof SIGNALS / sizeof SIGNALS[0])

static struct {
    pthread_mutex_t lock;
    sigset_t set;    /* those that we handle */
    int first;       /* one of them, 0 if there is none */
    sigset_t before; /* the mask that the program began with */
    pthread_t waiter;
    bool waiting;
    atomic_int outcome; /* what came first: */
    int late;           /* a signal that came after the end */
    void (*report)(void *data);
    void *data;
    void (*last)(void *data);
    void *last_data;
    void (*show)(void *data); /* on SIGUSR1; NULL: that is not ours */
    void *show_data;
} stop = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* A worker process has the default action, but its mask is this one. */
void stop_signals_prepare(void) {
    sigset_t status;
    sigemptyset(&status);
    sigaddset(&status, SIGUSR1);
    signal(SIGUSR1, SIG_IGN);
    pthread_sigmask(SIG_BLOCK, &status, NULL);
}

void stop_signals_show(void (*show)(void *data), void *data) {
    stop.show = show;
    stop.show_data = data;
}

void stop_signals_block(void) {
    sigemptyset(&stop.set);
    for (size_t i = 0; i < SIGNALS_COUNT; i++) {
        struct sigaction action;
        sigaction(SIGNALS[i], NULL, &action);
        if (action.sa_handler != SIG_IGN) {
            sigaddset(&stop.set, SIGNALS[i]);
            stop.first = SIGNALS[i];
        }
    }
    pthread_sigmask(SIG_BLOCK, &stop.set, &stop.before);
}

enum {
    NOTHING_YET,
    A_SIGNAL,
    THE_END
};

/* Either the waiter or the main thread comes first. */
static bool comes_first(int outcome) {
    int expected = NOTHING_YET;
    return atomic_compare_exchange_strong(&stop.outcome, &expected, outcome);
}

/* stop_signals_end() wakes the waiter with a signal too, one that this process sends to itself. */
static bool is_from_us(const siginfo_t *info) {
    return info->si_code == SI_USER && info->si_pid == getpid();
}

/* Returns the signal to stop; 0 = stop_signals_end() has called. Shows the status meanwhile. */
static int next_signal(void) {
    for (;;) {
        siginfo_t info;
        const int number = sigwaitinfo(&stop.set, &info);
        if (number > 0 && is_from_us(&info)) {
            return 0;
        }
        if (number == SIGUSR1) {
            stop.show(stop.show_data);
        } else if (number > 0) {
            return number;
        }
    }
}

static void *wait_for_signal(void *unused) {
    const int number = next_signal();
    if (number == 0) {
        return unused;
    }
    if (!comes_first(A_SIGNAL)) {
        stop.late = number;
        return unused;
    }
    pthread_sigmask(SIG_UNBLOCK, &stop.set, NULL);
    stop_signals_lock();
    stop.report(stop.data);
    if (stop.last != NULL) {
        stop.last(stop.last_data);
    }
    raise(number);
    return unused; /* not reached: the default way of each of them is to end the process */
}

void stop_signals_start(void (*report)(void *data), void *data) {
    stop.report = report;
    stop.data = data;
    if (stop.show != NULL) {
        sigaddset(&stop.set, SIGUSR1);
        stop.first = stop.first != 0 ? stop.first : SIGUSR1;
    }
    if (stop.first == 0) {
        return;
    }
    int problem = pthread_create(&stop.waiter, NULL, wait_for_signal, NULL);
    if (problem != 0 && stop.first == SIGUSR1) {
        return; /* nothing is shown, and no signal is to stop the program */
    }
    if (problem != 0) {
        error(EXIT_ITEM, problem, "cannot start a thread: pthread_create");
    }
    stop.waiting = true;
}

void stop_signals_then(void (*last)(void *data), void *data) {
    stop_signals_lock();
    stop.last = last;
    stop.last_data = data;
    stop_signals_unlock();
}

void stop_signals_end(void) {
    if (stop.waiting) {
        if (comes_first(THE_END)) {
            pthread_kill(stop.waiter, stop.first);
        } /* else the waiter ends the program */
        pthread_join(stop.waiter, NULL);
        stop.waiting = false;
    }
    pthread_sigmask(SIG_SETMASK, &stop.before, NULL);
    if (stop.late != 0) {
        raise(stop.late);
    }
}

void stop_signals_lock(void) {
    pthread_mutex_lock(&stop.lock);
}

void stop_signals_unlock(void) {
    pthread_mutex_unlock(&stop.lock);
}
