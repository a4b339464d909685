/* The two files of a job log, and what is in them: shared by what writes and what reads them. */
#ifndef PROGRAMS_JOBLOG_FILES_H
#define PROGRAMS_JOBLOG_FILES_H

#include "programs/base/text_buffer.h"
#include "programs/joblog/joblog.h"

#include <sys/types.h>

#define JOBLOG_FORMAT 1
#define JOBLOG_HEADER "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n"

/* An item of an earlier run, and what is to be cut off if it is the last that is kept. */
typedef struct joblog_past {
    joblog_entry entry;
    uint64_t output_end;
    fingerprint
        output_print; /* of standard output from the item before up to there; "" = unknown */
    off_t file_end, more_end;
} joblog_past;

/* An item whose lines wait until its output is written. */
typedef struct joblog_pending {
    uint64_t output_count; /* output_count() when it was added */
    size_t more_end;       /* of its line in more_text, which still lacks its end */
} joblog_pending;

struct joblog {
    const joblog_plan *plan;
    const char *file;
    char *more; /* FILE.more */
    int file_fd, more_fd;

    /* On standard output. JOBLOG_UNKNOWN: it is not a regular file. */
    uint64_t output_begin; /* where the log begins */
    uint64_t output_end;   /* where the last item ends that is logged */
    int output_fd;         /* to read what was written; -1: it may not be read */

    bool resumed;                 /* there are first lines of an earlier run: */
    off_t file_begin, more_begin; /* where they end */
    joblog_past *past;
    size_t past_count;

    text_buffer file_text, more_text;
    joblog_pending *pending;
    size_t pending_count, pending_capacity;
    uint64_t marked; /* output_count() when the last item was added, or all was flushed */

    void (*on_failure)(void *data);
    void *failure_data;
    bool failed;
};

/* Reads an earlier log into `log`, and checks that it is the plan's. False if no line of it was ever complete, so that
 * nothing is done. Nothing is changed. */
bool joblog_read(joblog *log);

/* Where standard output is, if it is a regular file; else JOBLOG_UNKNOWN. */
uint64_t joblog_output_position(void);

#endif
