/* --trace of slow_server: each request as a run, from its arrival until its connection is done with it. Requests that
 * are there at the same time are on tracks of their own, as few as that takes. */
#ifndef PROGRAMS_REQUEST_TRACE_H
#define PROGRAMS_REQUEST_TRACE_H

#include "programs/timeline/observing.h"

#include <pthread.h>

typedef struct request_trace {
    observing *to;        /* NULL: nothing is recorded, and all calls do nothing */
    pthread_mutex_t lock; /* of all below */
    uint64_t count;       /* requests so far */
    bool *taken;          /* the tracks that a request is on now */
    unsigned tracks;
} request_trace;

typedef struct traced_request {
    uint64_t number; /* from 0 */
    int track;       /* -1: not recorded */
} traced_request;

/* What became of a request. */
typedef struct request_end {
    int64_t arrival_ns, answered_ns; /* 0 = it was not answered */
    unsigned status;                 /* of HTTP */
    const char *code;                /* two characters */
    bool client_closed;
} request_end;

/* For at most so many requests at a time. to: must stay for as long as requests come. No memory ends the program
 * with a message and EXIT_IO. */
void request_trace_prepare(request_trace *trace, observing *to, unsigned most);
void request_trace_free(request_trace *trace);

/* Any thread may call these at any time. */
traced_request request_trace_arrived(request_trace *trace);
void request_trace_ended(request_trace *trace, traced_request request, const request_end *end);

#endif
