/* What any round trip between two threads that sleep costs here: one that answers and one that asks,
 * by a condition variable and by a futex, each of which sleeps at once. */
#include "bench/tasks.h"

#include <gnu/libc-version.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    IDLE,
    ASKED,
    ANSWERED,
    ENDED
};

static tiny_task task;
static pthread_t answerer;

static void answer(void) {
    task.result = task.arg.a + task.arg.b;
}

static void start(void *(*run)(void *)) {
    if (pthread_create(&answerer, NULL, run, NULL) != 0) {
        bench_fail("pthread_create");
    }
}

/* ---- by a condition variable ----------------------------------------------------------------- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int state; /* under the mutex */

static void *condvar_run(void *unused) {
    pthread_mutex_lock(&mutex);
    for (;;) {
        while (state != ASKED && state != ENDED) {
            pthread_cond_wait(&changed, &mutex);
        }
        if (state == ENDED) {
            break;
        }
        answer();
        state = ANSWERED;
        pthread_cond_signal(&changed);
    }
    pthread_mutex_unlock(&mutex);
    return unused;
}

static uint64_t condvar_round_trip(addends arg) {
    pthread_mutex_lock(&mutex);
    task.arg = arg;
    state = ASKED;
    pthread_cond_signal(&changed);
    while (state != ANSWERED) {
        pthread_cond_wait(&changed, &mutex);
    }
    pthread_mutex_unlock(&mutex);
    return task.result;
}

static void condvar_open(unsigned workers) {
    (void)workers;
    start(condvar_run);
}

static void condvar_close(void) {
    pthread_mutex_lock(&mutex);
    state = ENDED;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&mutex);
    pthread_join(answerer, NULL);
}

/* ---- by a futex ------------------------------------------------------------------------------ */

static atomic_uint word;

static void futex_set(unsigned value) {
    atomic_store(&word, value);
    syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* Returns the first of these two that the word is. */
static unsigned futex_await(unsigned one, unsigned other) {
    for (;;) {
        const unsigned value = atomic_load(&word);
        if (value == one || value == other) {
            return value;
        }
        syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
    }
}

static void *futex_run(void *unused) {
    while (futex_await(ASKED, ENDED) == ASKED) {
        answer();
        futex_set(ANSWERED);
    }
    return unused;
}

static uint64_t futex_round_trip(addends arg) {
    task.arg = arg;
    futex_set(ASKED);
    futex_await(ANSWERED, ANSWERED);
    return task.result;
}

static void futex_open(unsigned workers) {
    (void)workers;
    start(futex_run);
}

static void futex_close(void) {
    futex_set(ENDED);
    pthread_join(answerer, NULL);
}

const task_contender tasks_condvar = {.name = "condvar",
                                      .version = gnu_get_libc_version,
                                      .open = condvar_open,
                                      .close = condvar_close,
                                      .round_trip = condvar_round_trip};
const task_contender tasks_futex = {.name = "futex",
                                    .version = gnu_get_libc_version,
                                    .open = futex_open,
                                    .close = futex_close,
                                    .round_trip = futex_round_trip};
