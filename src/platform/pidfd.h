/* A descriptor that becomes readable when a process ends. Before Linux 5.3 and under valgrind there
 * is none: plat_pidfd_open returns -1, and the callers look every PLAT_NO_PIDFD_POLL_MS. */
#ifndef PLATFORM_PIDFD_H
#define PLATFORM_PIDFD_H

#include "platform/descriptor.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

#define PLAT_P_PIDFD ((idtype_t)3) /* of waitid; glibc before 2.36 does not name it */

enum {
    PLAT_NO_PIDFD_POLL_MS = 100
};

static inline int plat_pidfd_open(pid_t pid) {
    return plat_descriptor_out_of_the_way((int)syscall(SYS_pidfd_open, pid, 0)); /* close-on-exec */
}

static inline int plat_pidfd_poll_ms(int pidfd) {
    return pidfd >= 0 ? -1 : PLAT_NO_PIDFD_POLL_MS;
}

/* Waits until a process has ended (it may be a zombie then), at most until the deadline
 * (CLOCK_MONOTONIC). The process need not be a child of this one. Without a pidfd, a zombie counts
 * as running. */
void plat_process_await_end(pid_t pid, int64_t deadline_ns);

/* By the pidfd where there is one: when the process has been reaped, its number may belong to another
 * one. By the number if there is none, or if the program has closed it. */
void plat_process_signal(pid_t pid, int pidfd, int number);

/* By SIGSTOP, SIGTSTP and the like. False if /proc does not say. */
bool plat_process_is_stopped(pid_t pid);

#endif
