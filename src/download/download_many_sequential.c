/* One after the other, on the caller's thread. */
#include "download/download_many.h"
#include "download/transfers.h"

cf_status download_many_sequential(const download_job *job) {
    transfers *one = transfers_create(job->settings, 1);
    if (one == NULL) {
        return CF_ENOMEM;
    }
    job->begun(job->context);
    for (size_t i = 0; i < job->count; i++) {
        download_result result;
        transfers_begin(one, job->codes[i]);
        transfers_next(one, &result);
        job->collected(job->context, &result);
    }
    transfers_destroy(one);
    return CF_OK;
}
