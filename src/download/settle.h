/* What follows from the end of a download, besides its result. */
#ifndef DOWNLOAD_SETTLE_H
#define DOWNLOAD_SETTLE_H

#include "download/download.h"

/* Calls settings->saved for a flag that is saved; a failure there makes the result an error. An error stops the
 * run if settings->ends_with_error says so. */
void download_settle(const download_settings *settings, download_result *result);

#endif
