/* All downloads on one thread: libcurl's event loop. For each that is done another begins.
 *
 * The loop has a thread of its own, and the caller's thread collects. To collect is to print, and a pipe or a
 * terminal that is read slowly makes a thread wait: running transfers would meanwhile run into their time
 * limits. For the same reason `saved` is called by the caller's thread here. */
#include "download/download_many.h"
#include "download/result_queue.h"
#include "download/settle.h"
#include "download/transfers.h"
#include "platform/thread.h"

typedef struct loop {
    const download_job *job;
    download_settings settings; /* the job's, without `saved` */
    transfers *transfers;
    result_queue results;
    pthread_mutex_t gate; /* the caller holds it until the run has begun */
    pthread_t thread;
} loop;

static void *run_loop(void *context) {
    loop *l = context;
    const download_job *job = l->job;
    pthread_mutex_lock(&l->gate);
    pthread_mutex_unlock(&l->gate);
    size_t next = 0;
    while (next < job->count && next < job->most) {
        transfers_begin(l->transfers, job->codes[next++]);
    }
    download_result result;
    while (transfers_next(l->transfers, &result)) {
        if (next < job->count) {
            transfers_begin(l->transfers, job->codes[next++]);
        }
        result_queue_give(&l->results, &result);
    }
    result_queue_end(&l->results);
    return NULL;
}

static void collect(loop *l) {
    download_result result;
    while (result_queue_take(&l->results, &result)) {
        download_settle(l->job->settings, &result);
        l->job->collected(l->job->context, &result);
    }
}

static cf_status run(loop *l) {
    pthread_mutex_lock(&l->gate);
    if (plat_thread_start(&l->thread, run_loop, l) != 0) {
        pthread_mutex_unlock(&l->gate);
        return CF_EAGAIN;
    }
    l->job->begun(l->job->context);
    pthread_mutex_unlock(&l->gate);
    collect(l);
    plat_thread_join(l->thread);
    return CF_OK;
}

cf_status download_many_async(const download_job *job) {
    loop l = {.job = job, .settings = *job->settings, .gate = PTHREAD_MUTEX_INITIALIZER};
    l.settings.saved = NULL;
    if (!result_queue_create(&l.results, job->count)) {
        return CF_ENOMEM;
    }
    l.transfers = transfers_create(&l.settings, job->most);
    const cf_status status = l.transfers == NULL ? CF_ENOMEM : run(&l);
    transfers_destroy(l.transfers);
    result_queue_destroy(&l.results);
    return status;
}
