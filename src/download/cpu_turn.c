#include "download/cpu_turn.h"

#include "platform/clock.h"

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

static bool wait_until(int64_t until_ns) {
    const struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000),
                                   .tv_nsec = (long)(until_ns % 1000000000)};
    int late = 0;
    while (turns.left == 0 && late == 0) {
        late = pthread_cond_timedwait(&turns.is_left, &turns.lock, &until);
    }
    return turns.left > 0;
}

/* Who has waited until then has something else to do than to drive libcurl, even if there is a turn by now. */
bool cpu_turn_begin(int64_t until_ns) {
    pthread_mutex_lock(&turns.lock);
    const bool taken = turns.left > 0 || (wait_until(until_ns) && plat_now_ns() < until_ns);
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
