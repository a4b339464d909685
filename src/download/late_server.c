#include "download/late_server.h"

#include "platform/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#define LATEST_NS INT64_C(1000000000)
#define PAUSE_NS  INT64_C(20000000)

/* Of this machine: RFC 1122 (127.0.0.0/8), RFC 4291 (::1), RFC 6761 (localhost and names in it). */
static bool is_loopback(const char *host) {
    static const char NAME[] = "localhost";
    struct in_addr address;
    const size_t length = strlen(host);
    if (inet_pton(AF_INET, host, &address) == 1) {
        return ntohl(address.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    return strcmp(host, "[::1]") == 0 || strcasecmp(host, NAME) == 0 ||
           (length > strlen(NAME) && host[length - sizeof NAME] == '.' &&
            strcasecmp(host + length - strlen(NAME), NAME) == 0);
}

bool late_server_is_here(const char *site) {
    char *host = NULL;
    CURLU *url = curl_url();
    const bool is = url != NULL && curl_url_set(url, CURLUPART_URL, site, 0) == CURLUE_OK &&
                    curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK && is_loopback(host);
    curl_free(host);
    curl_url_cleanup(url);
    return is;
}

/* A redirect has come from a server that listens. */
static bool is_refused(CURL *easy, CURLcode code) {
    long reason = 0, redirects = 0;
    curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &reason);
    curl_easy_getinfo(easy, CURLINFO_REDIRECT_COUNT, &redirects);
    return code == CURLE_COULDNT_CONNECT && reason == ECONNREFUSED && redirects == 0;
}

bool late_server_may_come(const download_settings *settings, CURL *easy, CURLcode code,
                          int64_t *again_ns) {
    const int64_t wait_ns = settings->timeout_ns < LATEST_NS ? settings->timeout_ns : LATEST_NS;
    const int64_t now_ns = plat_now_ns(), latest_ns = settings->begun_ns + wait_ns;
    if (now_ns >= latest_ns || !is_refused(easy, code) || !late_server_is_here(settings->site)) {
        return false;
    }
    *again_ns = now_ns + PAUSE_NS < latest_ns ? now_ns + PAUSE_NS : latest_ns;
    return true;
}
