#include "download/settle.h"

#include <stdio.h>
#include <string.h>

static void tell_saved(const download_settings *settings, download_result *result) {
    result->output_error = settings->saved(result->code);
    if (result->output_error != 0) {
        result->status = DOWNLOAD_ERROR;
        snprintf(result->message, sizeof result->message, "standard output: %s",
                 strerror(result->output_error));
    }
}

void download_settle(const download_settings *settings, download_result *result) {
    if (result->status == DOWNLOAD_OK && settings->saved != NULL) {
        tell_saved(settings, result);
    }
    if (result->status == DOWNLOAD_ERROR && settings->ends_with_error) {
        download_stop_request(settings->stop);
    }
}
