/* Where the flags are: a URL that a path can be added to. It may have a user name and a password, for the server
 * alone: nobody else is shown them. */
#ifndef DOWNLOAD_SITE_H
#define DOWNLOAD_SITE_H

#include <stdbool.h>

/* True if libcurl understands the URL. The other functions take only such a URL. */
bool site_is_valid(const char *url);

bool site_is_https(const char *url);

/* The URL without user name and password. The caller frees it; NULL = out of memory. */
char *site_shown(const char *url);

/* Its host, and its port if the URL names one: "localhost:8000". The caller frees it; NULL = out of memory. */
char *site_host(const char *url);

#endif
