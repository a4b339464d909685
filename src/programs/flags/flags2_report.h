/* What the flags2 programs print: as text, or as one JSON object a line. */
#ifndef PROGRAMS_FLAGS2_REPORT_H
#define PROGRAMS_FLAGS2_REPORT_H

#include "programs/flags/flags2_options.h"
#include "programs/flags/progress_bar.h"

typedef struct flags2_report {
    const flags2_options *options;
    progress_bar bar;
    size_t done;
    size_t counts[DOWNLOAD_ERROR + 1]; /* by status */
    download_result first_error;       /* if there is one */
} flags2_report;

/* The lines before the first request, unless an earlier run has printed them; flushed. */
void flags2_report_begin(flags2_report *report, const flags2_options *options, bool is_begun);

/* Its line, if there is one, flushed; and the progress bar. */
void flags2_report_result(flags2_report *report, const download_result *result);

/* Counts it only: an earlier run has printed its line. */
void flags2_report_count(flags2_report *report, const download_result *result);

/* The counts; flushed. Then, on standard error, the reason of the first error, unless its line was printed. */
void flags2_report_end(flags2_report *report, int64_t elapsed_ns);

#endif
