/* Which failures may be different next time, and how long to wait until then. */
#ifndef DOWNLOAD_RETRY_H
#define DOWNLOAD_RETRY_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

/* True for 408, 429, 500, 502, 503 and 504, and for what takes too long or is dropped in the middle. Not
 * where nobody listens, nor where a certificate is wrong. */
bool retry_is_worthwhile(CURLcode code, long http_status);

/* After so many attempts (1 and more). `advice_s`: the server's Retry-After in seconds, negative for none.
 * It is obeyed, though no longer than for most_ns. Without it half a second, twice as long each time, up
 * to 10 s; of that a random part of at least a half, so that workers that failed together do not come
 * back together. */
int64_t retry_pause_ns(unsigned attempts, int64_t advice_s, int64_t most_ns);

#endif
