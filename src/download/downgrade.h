/* A redirect may not lead from https to http: on http, others in the network can read and change what is sent. */
#ifndef DOWNLOAD_DOWNGRADE_H
#define DOWNLOAD_DOWNGRADE_H

#include <curl/curl.h>
#include <stdbool.h>

/* Call it before each request of a transfer, those after redirects too. True if this request goes to https: from
 * here on redirects lead to https only, whatever the transfer began with. */
bool downgrade_forbid(CURL *easy);

/* True if that is what ended the transfer; for transfers that have been to https. */
bool downgrade_was_refused(CURL *easy, CURLcode code);

#endif
