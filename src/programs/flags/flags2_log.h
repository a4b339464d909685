/* The job log of the flags2 programs: an item is a download, and its seq is the place of its code in the list.
 *
 * A code that an earlier run has downloaded is not asked for again, if its file is still there with the size that it
 * had; nor is one that was not found or in error. Output is kept up to the first code that is asked for again. The
 * results behind it are known: they are printed and logged again first. */
#ifndef PROGRAMS_FLAGS2_LOG_H
#define PROGRAMS_FLAGS2_LOG_H

#include "programs/base/text_buffer.h"
#include "programs/flags/download_run.h"
#include "programs/flags/flags2_report.h"
#include "programs/joblog/joblog.h"

#include <stddef.h>

enum {
    FLAGS2_SETTINGS = 6
};

typedef struct flags2_log {
    joblog *log; /* NULL: none is wanted */
    joblog_plan plan;
    joblog_setting settings[FLAGS2_SETTINGS + 1];
    char size_limit[16], retries[16];
    const flags2_options *options;
    text_buffer command; /* which lacks only the code */

    country_code left[CODE_LIST_MAX]; /* still to be asked for */
    size_t left_count;
    size_t kept; /* items of an earlier run that are printed already */
} flags2_log;

/* Opens the log of a run whose folder is open; before anything is printed. */
void flags2_log_open(flags2_log *log, const flags2_options *options, download_run *run);

/* When the report has begun: counts in it what an earlier run has done, and reports what must be printed again. */
void flags2_log_restore(flags2_log *log, flags2_report *report);

/* The result is printed. */
void flags2_log_result(flags2_log *log, const download_result *result);

void flags2_log_close(flags2_log *log);

#endif
