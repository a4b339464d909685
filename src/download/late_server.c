#include "download/late_server.h"

#include "platform/clock.h"

#include <errno.h>

#define LATEST_NS INT64_C(1000000000)
#define PAUSE_NS  INT64_C(20000000)

/* A redirect has come from a server that listens. */
static bool is_refused(CURL *easy, CURLcode code) {
    long reason = 0, redirects = 0;
    curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &reason);
    curl_easy_getinfo(easy, CURLINFO_REDIRECT_COUNT, &redirects);
    return code == CURLE_COULDNT_CONNECT && reason == ECONNREFUSED && redirects == 0;
}

bool late_server_may_come(const download_settings *settings, bool loopback, CURL *easy,
                          CURLcode code, int64_t *again_ns) {
    const int64_t wait_ns = settings->timeout_ns < LATEST_NS ? settings->timeout_ns : LATEST_NS;
    const int64_t now_ns = plat_now_ns(), latest_ns = settings->begun_ns + wait_ns;
    if (!loopback || now_ns >= latest_ns || !is_refused(easy, code)) {
        return false;
    }
    *again_ns = now_ns + PAUSE_NS < latest_ns ? now_ns + PAUSE_NS : latest_ns;
    return true;
}
