#include "platform/barrier.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

bool cfi_barrier_expedited;

static bool membarrier_call(int command) {
    return syscall(SYS_membarrier, command, 0, 0) == 0;
}

/* GLOBAL_EXPEDITED reaches every process that registered for it, PRIVATE_EXPEDITED this one only.
 * (The plain GLOBAL command takes milliseconds.) Both exist since Linux 4.16. */
void cfi_barrier_register(void) {
    if (!cfi_barrier_expedited && membarrier_call(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) &&
        membarrier_call(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED)) {
        cfi_barrier_expedited = true;
    }
}

void cfi_barrier_heavy(bool processes) {
    if (!cfi_barrier_expedited || !membarrier_call(processes ? MEMBARRIER_CMD_GLOBAL_EXPEDITED
                                                             : MEMBARRIER_CMD_PRIVATE_EXPEDITED)) {
        cfi_barrier_full();
    }
}
