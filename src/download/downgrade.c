#include "download/downgrade.h"

#include <string.h>
#include <strings.h>

static bool is_at(CURL *easy, const char *scheme) {
    const char *url = NULL;
    curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &url);
    return url != NULL && strncasecmp(url, scheme, strlen(scheme)) == 0;
}

bool downgrade_forbid(CURL *easy) {
    const bool forbidden = is_at(easy, "https:");
    if (forbidden) {
#if LIBCURL_VERSION_NUM >= 0x075500 /* 7.85.0 */
        curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "https");
#else
        curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS, CURLPROTO_HTTPS);
#endif
    }
    return forbidden;
}

/* libcurl names the scheme, and not why it is refused. The URL is that of the request that was not sent. (The
 * same code stands for an answer that is not HTTP.) */
bool downgrade_was_refused(CURL *easy, CURLcode code) {
    return code == CURLE_UNSUPPORTED_PROTOCOL && is_at(easy, "http:");
}
