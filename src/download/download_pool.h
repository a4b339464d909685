/* Workers that download: executors whose workers have each a libcurl handle, and their task. */
#ifndef DOWNLOAD_DOWNLOAD_POOL_H
#define DOWNLOAD_DOWNLOAD_POOL_H

#include "download/download.h"

#include <cfutures.h>

typedef cf_status cf_create_fn(const cf_pool_options *options, cf_executor **executor);

/* The settings must live as long as the executor. */
cf_status download_pool_create(cf_create_fn *create, const download_settings *settings,
                               unsigned workers, cf_executor **executor);

/* A country_code in, a download_result out. It never fails. */
extern const cf_task DOWNLOAD_TASK;

/* How often it may be run again when its worker process dies. It does no harm, though a worker that dies
 * when it has just called `saved` calls it again. */
#define DOWNLOAD_WORKER_RETRIES 2

/* What became of a code whose task did not come to its end. */
void download_result_set_exception(download_result *result, country_code code,
                                   const cf_exception *exception);

#endif
