#include "platform/barrier.h"

#include <errno.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of membarrier(2). The kernel's header is not on the path of every C library. */
enum {
    GLOBAL_EXPEDITED = 1 << 1,
    REGISTER_GLOBAL_EXPEDITED = 1 << 2,
    PRIVATE_EXPEDITED = 1 << 3,
    REGISTER_PRIVATE_EXPEDITED = 1 << 4
};

_Atomic bool plat_barrier_expedited;

static bool membarrier_call(int command) {
    return syscall(SYS_membarrier, command, 0, 0) == 0;
}

/* GLOBAL_EXPEDITED reaches every process that registered for it, PRIVATE_EXPEDITED only this one.
 * Both exist since Linux 4.16. (The plain GLOBAL command takes milliseconds.) */
void plat_barrier_register(void) {
    if (!plat_barrier_expedited && membarrier_call(REGISTER_PRIVATE_EXPEDITED) &&
        membarrier_call(REGISTER_GLOBAL_EXPEDITED)) {
        plat_barrier_expedited = true;
    }
}

/* ENOMEM: the kernel lacks memory for a moment. If a filter of system calls forbids membarrier
 * after registration, the full fence here does not order the other side, and nothing else would. */
void plat_barrier_heavy(bool processes) {
    const int command = processes ? GLOBAL_EXPEDITED : PRIVATE_EXPEDITED;
    bool done = false;
    while (plat_barrier_expedited && !(done = membarrier_call(command)) && errno == ENOMEM) {
        sched_yield();
    }
    if (!done) {
        plat_barrier_full();
    }
}
