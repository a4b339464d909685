/* A thread that an executor starts when it first needs it: for deadlines, for callbacks.
 *
 *   - It blocks all signals, so that the program's handlers run on the program's own threads.
 *   - It sleeps on a word. Other threads advance the word and wake it.
 *   - Many threads may call start, also after stop.
 *   - The thread that joins the executor calls stop, once. */
#ifndef CFUTURES_ATTENDANT_H
#define CFUTURES_ATTENDANT_H

#include "platform/lock.h"

#include <stdatomic.h>
#include <stdbool.h>

typedef struct cfi_attendant {
    plat_lock lock;
    _Atomic bool running;
    _Atomic bool stopped; /* told to stop: the thread may still have something to do */
    pthread_t thread;
} cfi_attendant;

void cfi_attendant_init(cfi_attendant *attendant);
void cfi_attendant_destroy(cfi_attendant *attendant);

/* False: the system refuses a thread. After stop it returns true and starts no thread. */
bool cfi_attendant_start(cfi_attendant *attendant, void *(*run)(void *), void *context);

bool cfi_attendant_runs(const cfi_attendant *attendant);

/* Sets `stopped`, calls ring so that the thread looks, and returns when the thread has ended. */
void cfi_attendant_stop(cfi_attendant *attendant, void (*ring)(void *), void *context);

#endif
