/* In place of the kernel's number and name of a thread: simulated threads have none. */
#ifndef PLATFORM_THREAD_ID_H
#define PLATFORM_THREAD_ID_H

#include <stdint.h>

static inline int64_t plat_thread_id(void) {
    return 1;
}

static inline void plat_thread_name(const char *name) {
    (void)name;
}

static inline void plat_thread_name_worker(const char *prefix, unsigned worker) {
    (void)prefix;
    (void)worker;
}

#endif
