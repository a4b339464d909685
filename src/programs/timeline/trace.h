/* A file of events for a trace viewer (Perfetto, chrome://tracing): the Trace Event Format, an array of JSON objects, one a
 * line. https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
 *
 *   - Each worker has a track with its runs. A run knows its task, attempt, items and ending. A task's time in
 *     the queue is an asynchronous span, and an arrow leads from its submission to its run.
 *   - A download is two spans within its run, "first byte" and "body", if a byte came.
 *   - Retries, kills and deadlines are instants. Queue depth and memory are counters.
 *   - Runs are kept as TRACE_RECORD_BYTES each, at most TRACE_RECORDS of them. A thread with the lowest priority
 *     writes them out, so that the workers keep the processors. If there is no room left, the thread that adds a
 *     run writes first.
 *   - Each write ends with a whole event. So if the program is killed, the file ends behind the last event that was
 *     written: viewers do not need the bracket that is missing then.
 *
 * One thread at a time makes these calls. */
#ifndef PROGRAMS_TRACE_H
#define PROGRAMS_TRACE_H

#include "programs/timeline/run_table.h"

#include <cfutures_observer.h>

#include <stdbool.h>

enum {
    TRACE_RECORD_BYTES = 56,
    TRACE_RECORDS = 1 << 20, /* 56 MiB */
    TRACE_LABEL_MOST = 3,    /* letters of an attempt's label; the rest is cut off */
};

typedef struct trace trace;

/* begun_ns: the trace's time 0. NULL: the file cannot be opened, or there is no memory; errno says why. */
trace *trace_open(const char *file, const char *program, const char *worker, int64_t begun_ns);

/* Events of an executor. BEGUN: of a run that has not ended, at the end of the trace; those of others are not to be
 * added. */
void trace_add(trace *self, const cf_event *events, size_t count);

/* An attempt of a program without an executor, known by its label. reason: why it failed, or NULL; stays. */
void trace_attempt(trace *self, const run_entry *run, const char *label, const char *reason);

/* A result was handed out. label: what the user knows its item by; cut if it is long. */
void trace_handed(trace *self, int64_t at_ns, uint64_t item, const char *label);

/* The queue's length and the process's memory, now. */
void trace_count(trace *self, int64_t at_ns, uint64_t pending, uint64_t bytes);

/* Writes the rest. 0, or an error number: the file is not whole. NULL is allowed. */
int trace_close(trace *self);

#endif
