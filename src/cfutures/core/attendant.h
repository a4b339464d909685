/* A thread that an executor starts when it first needs one: for deadlines, for callbacks.
 *
 * It blocks all signals, so that the program's handlers run on the program's own threads, and
 * sleeps on a word that its visitors advance. Start may be called by many threads; stop once, by
 * the executor's last visitor but those who only see that it has stopped. */
#ifndef CFUTURES_ATTENDANT_H
#define CFUTURES_ATTENDANT_H

#include "platform/lock.h"

#include <stdatomic.h>
#include <stdbool.h>

typedef struct cfi_attendant {
    cfi_lock lock;
    _Atomic bool running;
    _Atomic bool stopped; /* or is about to: it may still have something to do */
    pthread_t thread;
} cfi_attendant;

void cfi_attendant_init(cfi_attendant *attendant);
void cfi_attendant_destroy(cfi_attendant *attendant);

/* False: the system refuses a thread. True also when it is stopped: then there is nobody. */
bool cfi_attendant_start(cfi_attendant *attendant, void *(*run)(void *), void *context);

bool cfi_attendant_runs(const cfi_attendant *attendant);

/* Sets `stopped`, calls ring so that it looks, and returns when it has ended. */
void cfi_attendant_stop(cfi_attendant *attendant, void (*ring)(void *), void *context);

#endif
