/* Why a call of cfutures failed, as a message says it: with the system call that was refused. */
#ifndef PROGRAMS_REFUSAL_H
#define PROGRAMS_REFUSAL_H

#include <cfutures.h>

#include <stddef.h>

typedef struct refusal {
    cf_status status; /* CF_OK = the call did not fail */
    const char *call; /* NULL = the system refused nothing */
    int error;        /* errno of that call */
} refusal;

/* status: what the thread's latest call of cfutures has returned. */
refusal refusal_of(cf_status status);

/* "memfd_create: Operation not permitted", or else what the status means. Returns `text`. */
char *refusal_describe(const refusal *why, char *text, size_t size);

/* Unless the status is CF_OK, ends the program with "PROGRAM: WHAT: WHY" and EXIT_ITEM. */
void require_ok(cf_status status, const char *what);

#endif
