/* In place of descriptors of processes: simulated ones (kernel.h). */
#ifndef PLATFORM_PIDFD_H
#define PLATFORM_PIDFD_H

#include "kernel.h"
#include "platform/descriptor.h"

#include <stdint.h>

static inline int plat_pidfd_open(pid_t pid) {
    return sim_pidfd(pid);
}

static inline int plat_pidfd_poll_ms(int pidfd) {
    (void)pidfd;
    return -1;
}

static inline void plat_process_signal(pid_t pid, int pidfd, int number) {
    (void)pid;
    (void)pidfd;
    (void)number; /* the simulated nursery is never stopped */
}

static inline void plat_process_await_end(pid_t pid, int64_t deadline_ns) {
    (void)deadline_ns;
    sim_process_ends(pid);
}

#endif
