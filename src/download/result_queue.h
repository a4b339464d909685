/* Results on their way from the thread that downloads to the thread that collects. There is room for the results of
 * all codes of a run from the start: so the first thread never waits for the second, and nothing can fail. */
#ifndef DOWNLOAD_RESULT_QUEUE_H
#define DOWNLOAD_RESULT_QUEUE_H

#include "download/download.h"

#include <pthread.h>

typedef struct result_queue {
    pthread_mutex_t lock; /* protects all below */
    pthread_cond_t changed;
    download_result *results; /* those from `taken` to `given` are on their way */
    size_t taken, given;
    bool ended;
} result_queue;

/* For up to `most` results. False if memory is short. */
bool result_queue_create(result_queue *queue, size_t most);
void result_queue_destroy(result_queue *queue);

/* By the thread that downloads. */
void result_queue_give(result_queue *queue, const download_result *result);
void result_queue_end(result_queue *queue); /* no more comes */

/* By the thread that collects. Waits for the next result; false if no more comes. */
bool result_queue_take(result_queue *queue, download_result *result);

#endif
