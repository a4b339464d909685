/* What one attempt came to, in words. */
#ifndef DOWNLOAD_ATTEMPT_H
#define DOWNLOAD_ATTEMPT_H

#include "download/download.h"

/* Of an attempt that failed: "HTTP error 503 - Service Unavailable", "Timeout was reached". Returns `text`. */
const char *download_attempt_describe(const download_attempt *attempt, char *text, size_t size);

/* True if one of the time limits ended it. */
bool download_attempt_was_late(const download_attempt *attempt);

#endif
