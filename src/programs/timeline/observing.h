/* --trace=FILE and --report=FILE of all programs: what a program's executor does is recorded, and written when it
 * has ended or was told to end.
 *
 *      observing_begin()        opens the trace; before the executor is made
 *      observing_observer()     for cf_pool_options; NULL if nothing is recorded
 *      observing_executor()     the executor is there
 *      observing_handed()       ... a result is printed or used
 *      observing_end()          after cf_executor_shutdown has waited, before the executor is destroyed
 *
 * A program without an executor:
 *
 *      observing_begin()        opens the trace
 *      observing_attempt()      ... an attempt has ended
 *      observing_handed()       ... a result is printed or used
 *      observing_stop()         the work is done; may be left out
 *      observing_end()
 *
 * Without an option observing_begin returns NULL, and all calls with NULL do nothing. Any thread may call
 * observing_handed and observing_attempt. */
#ifndef PROGRAMS_OBSERVING_H
#define PROGRAMS_OBSERVING_H

#include "programs/base/command_line.h"
#include "programs/timeline/run_table.h"

#include <cfutures_observer.h>

typedef struct observing_options {
    const char *trace, *report; /* files; NULL = not wanted */
} observing_options;

/* The options' rows. */
command_line_option observing_trace_option(observing_options *options);
command_line_option observing_report_option(observing_options *options);

/* What the files say of the program. */
typedef struct observing_subject {
    const char *program;
    const char *worker; /* one of them: "process", "OpenMP thread", "connection" */
    bool ordered;       /* results are handed out in the order of submission */
    unsigned asked;     /* for so many workers; 0 = for as many as there are processors */
    unsigned workers;   /* without an executor: how many there may be */
    const char *why;    /* so many; NULL: `asked` says it */
} observing_subject;

typedef struct observing observing;

/* Ends the program with EXIT_IO if the trace's file cannot be opened. */
observing *observing_begin(const observing_options *options, const observing_subject *subject);

const cf_observer *observing_observer(const observing *self);
void observing_executor(observing *self, cf_executor *executor);

/* The result of this item, by which name the user knows it. item: its number in the order of submission, which
 * is the task's or, of a stream, the item's. */
void observing_handed(observing *self, uint64_t item, const char *label);

/* An attempt that the program has made itself; submitted_ns and the rest as for a task. name: of what it does; stays.
 * label: of its item, as for observing_handed. reason: why it failed, or NULL. */
void observing_attempt(observing *self, const run_entry *run, const char *name, const char *label,
                       const char *reason);

/* Writes the files now; nothing more is recorded. Unlike observing_end it may be called while a signal is handled. If a
 * file cannot be written, observing_end says so. */
void observing_stop(observing *self);

/* Writes the files, unless they are written. 0, or EXIT_IO after a message that names the file. */
int observing_end(observing *self);

#endif
