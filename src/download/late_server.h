/* A server on this machine that is started together with the program, as by two lines pasted into a shell: it may
 * not listen yet when it is first asked. */
#ifndef DOWNLOAD_LATE_SERVER_H
#define DOWNLOAD_LATE_SERVER_H

#include "download/download.h"

#include <curl/curl.h>

/* True if the attempt ended since nobody listens at the address that it tried, which is on this machine (`loopback`),
 * and the run began less than a second ago (or less than settings->timeout_ns). Then the attempt does not count, and
 * another one may begin at *again_ns. After that second a refused connection is an error at once: a server that is
 * down costs a run one second, and not one for each code. */
bool late_server_may_come(const download_settings *settings, bool loopback, CURL *easy,
                          CURLcode code, int64_t *again_ns);

#endif
