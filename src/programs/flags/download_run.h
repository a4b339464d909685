/* A run of downloads, from the folder to the signals: what all download programs do around the one
 * function in which they differ.
 *
 * SIGINT, SIGTERM or SIGHUP is the word to stop: transfers are broken off, download_run_all returns, the program reports
 * and calls download_run_end, which then ends it by that signal. A second one ends it at once. */
#ifndef PROGRAMS_DOWNLOAD_RUN_H
#define PROGRAMS_DOWNLOAD_RUN_H

#include "download/download_many.h"
#include "programs/flags/download_options.h"

#include <semaphore.h>

typedef struct download_run {
    download_settings settings; /* what is not in the options is the program's to fill in */
    download_folder folder;
    download_stop stop;
    connect_window window;
    sem_t reported;
    observing *observing; /* NULL: nothing is recorded */
    bool begun;
    int64_t begun_ns;
    int64_t elapsed_ns; /* from just before the first request to the end */
} download_run;

/* How many of `wanted` connections, of which each needs so many descriptors, the limit on open files allows. If
 * they are fewer, a message says so. 0 descriptors = each has a process of its own. */
unsigned download_run_connections(unsigned wanted, unsigned descriptors_each);

/* Opens the folder. Ends the program with EXIT_IO if that cannot be done, if the trace cannot be opened, or if --cacert
 * names no file of certificates; nothing has been printed. subject: for trace and report, without the program's name. */
void download_run_begin(download_run *run, const download_options *options,
                        const observing_subject *subject);

/* All of it, in one of the styles. Ends the program if it cannot begin. */
void download_run_all(download_run *run, download_many_fn *download_many, const country_code *codes,
                      size_t count, unsigned most,
                      void (*collected)(void *context, const download_result *result),
                      void *context);

/* For who has a loop in place of download_many. The first comes before there are workers: from there on
 * signals wait until they are there, and a failure of standard output, which is the word to stop too,
 * until the end. */
void download_run_prepare(download_run *run);
void download_run_begun(download_run *run); /* the workers are there */
void download_run_finished(
    download_run *run); /* the last result was collected; writes trace and report */

/* After the report. 0, or EXIT_IO if trace or report could not be written. Does not return if a signal came. */
int download_run_end(download_run *run);

#endif
