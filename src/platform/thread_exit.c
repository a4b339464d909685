#include "platform/thread_exit.h"

#include "platform/atomic.h"

#include <pthread.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key; /* its value is no more than a mark that there is something to do */
static bool has_key;
static _Atomic(void (*)(void)) to_call;

static void run(void *mark) {
    (void)mark;
    cfi_load_acquire (&to_call)();
}

static void make_key(void) {
    has_key = pthread_key_create(&key, run) == 0;
}

bool cfi_at_thread_exit(void (*call)(void)) {
    cfi_store_release(&to_call, call);
    pthread_once(&once, make_key);
    return has_key && pthread_setspecific(key, &once) == 0;
}
