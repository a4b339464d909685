/* A download as --trace and --report show it: a run for each attempt. */
#ifndef PROGRAMS_DOWNLOAD_OBSERVED_H
#define PROGRAMS_DOWNLOAD_OBSERVED_H

#include "download/download.h"
#include "programs/timeline/observing.h"

/* The result has been collected. item: its place among the codes. asked_ns: since when it waits for its first attempt.
 * Without a password in its message, for the files are shown around. */
void download_observe(observing *to, uint64_t item, int64_t asked_ns,
                      const download_result *result);

#endif
