#include "download/download.h"

#include <curl/curl.h>
#include <signal.h>

bool download_prepare(void) {
    signal(SIGXFSZ, SIG_IGN);
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

void download_finish(void) {
    curl_global_cleanup();
}
