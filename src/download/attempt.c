#include "download/attempt.h"

#include "download/http_phrase.h"

#include <curl/curl.h>
#include <stdio.h>

const char *download_attempt_describe(const download_attempt *attempt, char *text, size_t size) {
    const char *phrase = http_phrase(attempt->http_status);
    if (attempt->curl_code != CURLE_OK) {
        snprintf(text, size, "%s", curl_easy_strerror((CURLcode)attempt->curl_code));
    } else if (phrase != NULL) {
        snprintf(text, size, "HTTP error %d - %s", attempt->http_status, phrase);
    } else {
        snprintf(text, size, "HTTP error %d", attempt->http_status);
    }
    return text;
}

bool download_attempt_was_late(const download_attempt *attempt) {
    return attempt->curl_code == CURLE_OPERATION_TIMEDOUT;
}
