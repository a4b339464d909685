/* The parts of a status from wait(2); 0 if the child did not end in that way. */
#ifndef PLATFORM_WAIT_STATUS_H
#define PLATFORM_WAIT_STATUS_H

#include <sys/wait.h>

static inline int plat_wait_status_signal(int status) {
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static inline int plat_wait_status_exit_code(int status) {
    return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}

#endif
