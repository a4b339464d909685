/* download_many, in the styles of the documents: the same downloads one after the other, on a pool of threads or
 * of processes, or all on one thread with an event loop.
 *
 * Each of them asks for codes[0], codes[1], ... in this order, up to `most` at once, and hands every
 * result to `collected`, on the caller's thread. When told to stop it returns soon: what was not done
 * then is DOWNLOAD_LEFT. */
#ifndef DOWNLOAD_DOWNLOAD_MANY_H
#define DOWNLOAD_DOWNLOAD_MANY_H

#include "download/download.h"

#include <cfutures.h>

typedef struct download_job {
    const download_settings *settings;
    const country_code *codes;
    size_t count;
    unsigned most; /* at once; 1 and more */

    /* The workers are there, and the first request is about to be made: from here on there may be more
     * threads. Not called where the run cannot even get so far. */
    void (*begun)(void *context);
    void (*collected)(void *context, const download_result *result);
    void *context;
} download_job;

/* CF_OK, whatever became of the downloads; CF_ENOMEM, CF_EAGAIN and the like if it could not begin. */
typedef cf_status download_many_fn(const download_job *job);

download_many_fn download_many_sequential;    /* results in the order of the codes */
download_many_fn download_many_async;         /* ... as completed */
download_many_fn download_many_threads;       /* ... as completed */
download_many_fn download_many_map_threads;   /* ... in the order of the codes */
download_many_fn download_many_map_processes; /* ... in the order of the codes */

#endif
