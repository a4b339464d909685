/* All on the caller's thread: libcurl's event loop. For each that is done another begins. */
#include "download/download_many.h"
#include "download/transfers.h"

cf_status download_many_async(const download_job *job) {
    transfers *some = transfers_create(job->settings, job->most);
    if (some == NULL) {
        return CF_ENOMEM;
    }
    job->begun(job->context);
    size_t next = 0;
    while (next < job->count && next < job->most) {
        transfers_begin(some, job->codes[next++]);
    }
    download_result result;
    while (transfers_next(some, &result)) {
        if (next < job->count) {
            transfers_begin(some, job->codes[next++]);
        }
        job->collected(job->context, &result);
    }
    transfers_destroy(some);
    return CF_OK;
}
