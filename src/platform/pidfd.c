#include "platform/pidfd.h"

#include "platform/assert.h"
#include "platform/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static int milliseconds_until(int64_t deadline_ns) {
    int64_t left_ns = deadline_ns - plat_now_ns();
    cfi_assert(left_ns / 1000000 < INT_MAX);
    return left_ns > 0 ? (int)(left_ns / 1000000) + 1 : 0;
}

void plat_process_await_end(pid_t pid, int64_t deadline_ns) {
    cfi_assert(pid > 0); /* to kill, others are groups */
    int pidfd = plat_pidfd_open(pid);
    if (pidfd >= 0) {
        struct pollfd file = {.fd = pidfd, .events = POLLIN};
        poll(&file, 1, milliseconds_until(deadline_ns));
        close(pidfd);
        return;
    }
    while (kill(pid, 0) == 0 &&
           milliseconds_until(deadline_ns) > 0) { /* cannot see that a zombie has ended */
        poll(NULL, 0, 1);
    }
}

void plat_process_signal(pid_t pid, int pidfd, int number) {
    cfi_assert(pid > 1 && number > 0); /* to kill, others are groups */
    bool done = pidfd >= 0 &&
                (syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0) == 0 || errno == ESRCH);
    if (!done) {
        kill(pid, number);
    }
}

/* "PID (NAME) STATE ..."; the name may contain any character. */
bool plat_process_is_stopped(pid_t pid) {
    char path[32], text[256];
    cfi_assert(pid > 0);
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = file >= 0 ? read(file, text, sizeof text - 1) : -1;
    close(file);
    text[length > 0 ? length : 0] = '\0';
    const char *name_end = strrchr(text, ')');
    return name_end != NULL && strncmp(name_end, ") T", 3) == 0;
}
