#include "platform/thread_state.h"

#include "platform/descriptor.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* The kernel's own number of a thread's clock, as pthread_getcpuclockid makes it. That function takes a
 * pthread_t, which must not be used any more when the thread has ended. */
static clockid_t cpu_clock_of(int64_t id) {
    enum {
        OF_THREAD = 4,
        SCHEDULED = 2
    };
    return (clockid_t)(~(uint32_t)id << 3 | OF_THREAD | SCHEDULED);
}

int64_t plat_thread_cpu_ns(int64_t id) {
    struct timespec used;
    return clock_gettime(cpu_clock_of(id), &used) == 0
               ? (int64_t)used.tv_sec * 1000000000 + used.tv_nsec
               : -1;
}

bool plat_thread_is_runnable(int64_t id) {
    char text[128]; /* "ID (NAME) STATE ...": a name has at most 15 characters */
    snprintf(text, sizeof text, "/proc/self/task/%lld/stat", (long long)id);
    const int file = plat_descriptor_above_standard(open(text, O_RDONLY | O_CLOEXEC));
    if (file < 0) {
        return false;
    }
    const ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    text[length > 0 ? length : 0] = '\0';
    const char *state = strrchr(text, ')'); /* the name may have one too */
    return state != NULL && strncmp(state, ") R", 3) == 0;
}
