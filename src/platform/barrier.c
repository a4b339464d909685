#include "platform/barrier.h"

#include "platform/clock.h"
#include "platform/region.h"

#include <errno.h>
#include <pthread.h>
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

#define DRAIN_NS INT64_C(1000000)

static _Atomic uint32_t unregistered = PLAT_BARRIER_FENCES;
_Atomic uint32_t *plat_barrier_kind = &unregistered;
static pthread_once_t decided = PTHREAD_ONCE_INIT;

static bool membarrier_call(int command) {
    return syscall(SYS_membarrier, command, 0, 0) == 0;
}

/* GLOBAL_EXPEDITED reaches every process that registered for it, PRIVATE_EXPEDITED only this one.
 * Both exist since Linux 4.16. (The plain GLOBAL command takes milliseconds.) A forked child shares
 * its parent's page: if membarrier is refused to one of them, both fence. */
static void decide(void) {
    plat_region page;
    if (membarrier_call(REGISTER_PRIVATE_EXPEDITED) && membarrier_call(REGISTER_GLOBAL_EXPEDITED) &&
        plat_region_share_page(&page)) {
        _Atomic uint32_t *kind = (_Atomic uint32_t *)(void *)page.base;
        atomic_store(kind, PLAT_BARRIER_EXPEDITED);
        plat_barrier_kind = kind;
    }
}

void plat_barrier_register(void) {
    pthread_once(&decided, decide);
}

/* ENOMEM: the kernel lacks memory for a moment. */
static bool expedite(bool processes) {
    const int command = processes ? GLOBAL_EXPEDITED : PRIVATE_EXPEDITED;
    while (!membarrier_call(command)) {
        if (errno != ENOMEM) {
            return false;
        }
        sched_yield();
    }
    return true;
}

/* membarrier is refused. A light barrier that read EXPEDITED just before may have its store in the
 * processor's store buffer still, and have read the other side's word already. No processor keeps a
 * store there for a millisecond, and an interrupt empties the buffer. So after the wait the store is
 * seen by what follows this barrier. Another thread may come here meanwhile: it waits as well. */
static void fence_from_now_on(_Atomic uint32_t *kind) {
    atomic_store(kind, PLAT_BARRIER_CHANGING);
    const int64_t until_ns = plat_now_ns() + DRAIN_NS;
    while (plat_now_ns() < until_ns) { /* a filter may refuse to sleep, too */
        sched_yield();
    }
    atomic_store(kind, PLAT_BARRIER_FENCES);
}

void plat_barrier_heavy(bool processes) {
    _Atomic uint32_t *kind = plat_barrier_kind;
    if (atomic_load(kind) != PLAT_BARRIER_FENCES) {
        if (expedite(processes)) {
            return;
        }
        fence_from_now_on(kind);
    }
    plat_barrier_full();
}
