#include "platform/pidfd.h"

#include "platform/clock.h"

#include <poll.h>
#include <signal.h>

static int milliseconds_until(int64_t deadline_ns) {
    int64_t left_ns = deadline_ns - cfi_now_ns();
    return left_ns > 0 ? (int)(left_ns / 1000000) + 1 : 0;
}

void cfi_process_await_end(pid_t pid, int64_t deadline_ns) {
    int pidfd = cfi_pidfd_open(pid);
    if (pidfd >= 0) {
        struct pollfd file = {.fd = pidfd, .events = POLLIN};
        poll(&file, 1, milliseconds_until(deadline_ns));
        close(pidfd);
        return;
    }
    while (kill(pid, 0) == 0 &&
           milliseconds_until(deadline_ns) > 0) { /* a zombie's time runs out */
        poll(NULL, 0, 1);
    }
}
