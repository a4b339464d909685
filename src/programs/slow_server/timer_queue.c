#include "programs/slow_server/timer_queue.h"

#include "platform/clock.h"
#include "programs/base/output.h"

#include <errno.h>
#include <error.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

typedef struct timer {
    int64_t when_ns;
    void *thing;
} timer;

struct timer_queue {
    void (*due)(void *thing);
    size_t capacity;
    pthread_t thread;
    pthread_mutex_t lock;   /* of all below */
    pthread_cond_t changed; /* the earliest time, or stopping */
    bool stopping;
    size_t count;
    timer heap[]; /* binary, the earliest first */
};

/* ---- the heap, under the lock ------------------------------------------------------------------ */

static void heap_push(timer_queue *q, timer added) {
    size_t i = q->count++;
    for (; i > 0 && added.when_ns < q->heap[(i - 1) / 2].when_ns; i = (i - 1) / 2) {
        q->heap[i] = q->heap[(i - 1) / 2];
    }
    q->heap[i] = added;
}

static timer heap_pop(timer_queue *q) {
    const timer first = q->heap[0], last = q->heap[--q->count];
    size_t i = 0, child;
    while ((child = 2 * i + 1) < q->count) {
        if (child + 1 < q->count && q->heap[child + 1].when_ns < q->heap[child].when_ns) {
            child++;
        }
        if (last.when_ns <= q->heap[child].when_ns) {
            break;
        }
        q->heap[i] = q->heap[child];
        i = child;
    }
    q->heap[i] = last;
    return first;
}

/* ---- the thread -------------------------------------------------------------------------------- */

static void sleep_until_earliest(timer_queue *q) {
    if (q->count == 0) {
        pthread_cond_wait(&q->changed, &q->lock);
        return;
    }
    const int64_t when_ns = q->heap[0].when_ns;
    const struct timespec when = {.tv_sec = when_ns / 1000000000, .tv_nsec = when_ns % 1000000000};
    pthread_cond_timedwait(&q->changed, &q->lock, &when);
}

static void *run(void *queue) {
    timer_queue *q = queue;
    pthread_mutex_lock(&q->lock);
    while (q->count > 0 || !q->stopping) {
        if (q->count > 0 && (q->stopping || q->heap[0].when_ns <= plat_now_ns())) {
            const timer first = heap_pop(q);
            pthread_mutex_unlock(&q->lock);
            q->due(first.thing);
            pthread_mutex_lock(&q->lock);
        } else {
            sleep_until_earliest(q);
        }
    }
    pthread_mutex_unlock(&q->lock);
    return NULL;
}

/* ---- from outside ------------------------------------------------------------------------------ */

timer_queue *timer_queue_start(size_t capacity, void (*due)(void *thing)) {
    timer_queue *q = calloc(1, sizeof *q + capacity * sizeof q->heap[0]);
    if (q == NULL) {
        error(EXIT_IO, errno, "no memory");
    }
    q->capacity = capacity;
    q->due = due;
    pthread_mutex_init(&q->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&q->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    const int problem = pthread_create(&q->thread, NULL, run, q);
    if (problem != 0) {
        error(EXIT_IO, problem, "cannot start a thread: pthread_create");
    }
    return q;
}

bool timer_queue_add(timer_queue *q, int64_t when_ns, void *thing) {
    pthread_mutex_lock(&q->lock);
    const bool taken = !q->stopping && q->count < q->capacity;
    if (taken) {
        heap_push(q, (timer){.when_ns = when_ns, .thing = thing});
        if (q->heap[0].thing == thing) {
            pthread_cond_signal(&q->changed);
        }
    }
    pthread_mutex_unlock(&q->lock);
    return taken;
}

void timer_queue_stop(timer_queue *q) {
    pthread_mutex_lock(&q->lock);
    q->stopping = true;
    pthread_cond_signal(&q->changed);
    pthread_mutex_unlock(&q->lock);
    pthread_join(q->thread, NULL);
}

void timer_queue_free(timer_queue *q) {
    pthread_mutex_destroy(&q->lock);
    pthread_cond_destroy(&q->changed);
    free(q);
}
