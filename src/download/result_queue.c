#include "download/result_queue.h"

#include <stdlib.h>

bool result_queue_create(result_queue *queue, size_t most) {
    *queue = (result_queue){
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .changed = PTHREAD_COND_INITIALIZER,
        .results = malloc((most + 1) * sizeof(download_result)), /* 0 bytes could be NULL */
    };
    return queue->results != NULL;
}

void result_queue_destroy(result_queue *queue) {
    free(queue->results);
    pthread_cond_destroy(&queue->changed);
    pthread_mutex_destroy(&queue->lock);
}

void result_queue_give(result_queue *queue, const download_result *result) {
    pthread_mutex_lock(&queue->lock);
    queue->results[queue->given++] = *result;
    pthread_mutex_unlock(&queue->lock);
    pthread_cond_signal(&queue->changed);
}

void result_queue_end(result_queue *queue) {
    pthread_mutex_lock(&queue->lock);
    queue->ended = true;
    pthread_mutex_unlock(&queue->lock);
    pthread_cond_signal(&queue->changed);
}

bool result_queue_take(result_queue *queue, download_result *result) {
    pthread_mutex_lock(&queue->lock);
    while (queue->taken == queue->given && !queue->ended) {
        pthread_cond_wait(&queue->changed, &queue->lock);
    }
    const bool is_there = queue->taken < queue->given;
    if (is_there) {
        *result = queue->results[queue->taken++];
    }
    pthread_mutex_unlock(&queue->lock);
    return is_there;
}
