#include "executors/mpi/parent.h"

#include "platform/clock.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#define GRACE_NS INT64_C(1000000000)

static pid_t parent;

void cfi_mpi_parent_note(void) {
    if (parent == 0) {
        parent = getppid();
    }
}

bool cfi_mpi_parent_is_over(void) {
    return getppid() != parent;
}

void cfi_mpi_parent_check(bool watched) {
    static int64_t over_since_ns; /* only one thread calls */
    if (!watched || !cfi_mpi_parent_is_over()) {
        return;
    }
    const int64_t now_ns = plat_now_ns();
    if (over_since_ns == 0) {
        over_since_ns = now_ns;
        kill(getpid(), SIGTERM);
    } else if (now_ns - over_since_ns > GRACE_NS) {
        _exit(EXIT_FAILURE);
    }
}
