#include "download/cpu_turn.h"

#include <cfutures.h>
#include <errno.h>
#include <pthread.h>
#include <time.h>

static struct {
    pthread_mutex_t lock; /* of `left` */
    pthread_cond_t is_left;
    unsigned left;
} turns = {.lock = PTHREAD_MUTEX_INITIALIZER};

void cpu_turn_prepare(void) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&turns.is_left, &attributes);
    pthread_condattr_destroy(&attributes);
    turns.left = cf_cpu_count(NULL);
}

bool cpu_turn_begin(int64_t until_ns) {
    const struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000),
                                   .tv_nsec = (long)(until_ns % 1000000000)};
    pthread_mutex_lock(&turns.lock);
    int late = 0;
    while (turns.left == 0 && late == 0) {
        late = pthread_cond_timedwait(&turns.is_left, &turns.lock, &until);
    }
    const bool taken = turns.left > 0;
    turns.left -= taken;
    pthread_mutex_unlock(&turns.lock);
    return taken;
}

void cpu_turn_end(void) {
    pthread_mutex_lock(&turns.lock);
    turns.left++;
    pthread_mutex_unlock(&turns.lock);
    pthread_cond_signal(&turns.is_left);
}
