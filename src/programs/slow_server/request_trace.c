#include "programs/slow_server/request_trace.h"

#include "platform/clock.h"
#include "programs/base/output.h"

#include <errno.h>
#include <error.h>
#include <stdio.h>
#include <stdlib.h>

void request_trace_prepare(request_trace *trace, observing *to, unsigned most) {
    *trace = (request_trace){.to = to, .lock = PTHREAD_MUTEX_INITIALIZER};
    if (to == NULL) {
        return;
    }
    trace->tracks = most;
    trace->taken = calloc(most, sizeof *trace->taken);
    if (trace->taken == NULL) {
        error(EXIT_IO, errno, "no memory");
    }
}

void request_trace_free(request_trace *trace) {
    pthread_mutex_destroy(&trace->lock);
    free(trace->taken);
}

/* Under the lock. */
static int take_track(request_trace *trace) {
    for (unsigned i = 0; i < trace->tracks; i++) {
        if (!trace->taken[i]) {
            trace->taken[i] = true;
            return (int)i;
        }
    }
    return -1;
}

traced_request request_trace_arrived(request_trace *trace) {
    traced_request request = {.track = -1};
    if (trace->to != NULL) {
        pthread_mutex_lock(&trace->lock);
        request.number = trace->count++;
        request.track = take_track(trace);
        pthread_mutex_unlock(&trace->lock);
    }
    return request;
}

void request_trace_ended(request_trace *trace, traced_request request, const request_end *end) {
    if (request.track < 0) {
        return;
    }
    char text[sizeof "answered with 4294967295"];
    snprintf(text, sizeof text, "answered with %u", end->status);
    const char *reason = end->client_closed      ? "client closed"
                         : end->answered_ns == 0 ? "not answered"
                         : end->status >= 400    ? text
                                                 : NULL;
    const run_entry run = {
        .item = request.number,
        .items = 1,
        .attempt = 1,
        .submitted_ns = end->arrival_ns,
        .begun_ns = end->arrival_ns,
        .first_byte_ns = end->answered_ns,
        .ended_ns = plat_now_ns(),
        .worker = request.track,
        .detail = (int32_t)end->status,
        .ending = reason == NULL ? RUN_OK : RUN_ERROR,
    };
    observing_attempt(trace->to, &run, "request", end->code, reason);
    /* The next one on the track begins after this one. */
    pthread_mutex_lock(&trace->lock);
    trace->taken[request.track] = false;
    pthread_mutex_unlock(&trace->lock);
}
