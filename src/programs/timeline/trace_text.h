/* The events of a trace as text (trace.h). */
#ifndef PROGRAMS_TRACE_TEXT_H
#define PROGRAMS_TRACE_TEXT_H

#include "programs/timeline/trace_record.h"

#include <stddef.h>

enum {
    TRACE_NAMES_MOST = 256,
    TRACE_NAME_MOST = 100,      /* letters of a name; the rest is cut off */
    TRACE_TEXT_MOST = 8 * 2048, /* bytes of one record: 8 events with two escaped names each */
};

typedef struct trace_text {
    long process;
    int64_t zero_ns;
    char worker[32]; /* what one of them is called */
    const char *names[TRACE_NAMES_MOST];
    unsigned char named[8192]; /* workers whose track has a name */
    char *text;                /* the caller's, with room for TRACE_TEXT_MOST more bytes */
    size_t length;
} trace_text;

/* The file's beginning and its end. */
void trace_text_head(trace_text *self, const char *program);
void trace_text_end(trace_text *self);

void trace_text_record(trace_text *self, const trace_record *event);

#endif
