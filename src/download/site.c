#define _GNU_SOURCE /* asprintf, memrchr */
#include "download/site.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

bool site_is_valid(const char *url) {
    CURLU *parsed = curl_url();
    const bool valid = parsed != NULL && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK;
    curl_url_cleanup(parsed);
    return valid;
}

bool site_is_https(const char *url) {
    return strncasecmp(url, "https:", 6) == 0;
}

typedef struct authority {
    const char *begin, *host, *end;
} authority;

/* As libcurl has it: behind any number of slashes, and the user name and password end at an @. */
static authority find_authority(const char *url) {
    const char *begin = strchr(url, ':') + 1;
    begin += strspn(begin, "/");
    const size_t length = strcspn(begin, "/?#");
    const char *at = memrchr(begin, '@', length);
    return (authority){begin, at == NULL ? begin : at + 1, begin + length};
}

char *site_shown(const char *url) {
    const authority a = find_authority(url);
    char *shown;
    return asprintf(&shown, "%.*s%s", (int)(a.begin - url), url, a.host) < 0 ? NULL : shown;
}

char *site_host(const char *url) {
    const authority a = find_authority(url);
    return strndup(a.host, (size_t)(a.end - a.host));
}
