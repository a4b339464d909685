/* Some downloads at once on one thread: a libcurl multi handle, and an easy handle for each
 * download. The connections stay open for later downloads. One thread at a time uses a
 * `transfers`.
 *
 * No connection cache, DNS cache or TLS session is shared between threads. libcurl does not
 * promise that a shared connection cache works between threads, and a worker keeps its own
 * connections anyway. */
#ifndef DOWNLOAD_TRANSFERS_H
#define DOWNLOAD_TRANSFERS_H

#include "download/download.h"

typedef struct transfers transfers;

/* For up to `most` at once. NULL if memory is short. */
transfers *transfers_create(const download_settings *settings, unsigned most);
void transfers_destroy(transfers *transfers); /* NULL is allowed */

/* Begins one more; there must be room for it. It goes on inside next alone. */
void transfers_begin(transfers *transfers, country_code code);

/* Waits until one of them is done, in whatever way, and makes room. False if none is under way. */
bool transfers_next(transfers *transfers, download_result *result);

#endif
