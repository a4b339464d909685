/* The kernel's number of the calling thread, and the name that ps and gdb show for it. */
#ifndef PLATFORM_THREAD_ID_H
#define PLATFORM_THREAD_ID_H

#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline int64_t plat_thread_id(void) {
    return (int64_t)syscall(SYS_gettid);
}

static inline void plat_thread_name(const char *name) {
    prctl(PR_SET_NAME, name); /* the kernel cuts it to 15 characters */
}

/* "NAME-3" */
static inline void plat_thread_name_worker(const char *prefix, unsigned worker) {
    char name[32];
    snprintf(name, sizeof name, "%s-%u", prefix, worker);
    plat_thread_name(name);
}

#endif
