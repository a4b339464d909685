/* Sleeping on a 32-bit word, and waking its sleepers.
 *
 * shared: threads of other processes may use the word too. */
#ifndef PLATFORM_FUTEX_H
#define PLATFORM_FUTEX_H

#include "platform/assert.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Of futex(2). The kernel's header is not on the path of every C library. */
enum {
    PLAT_FUTEX_WAKE = 1,
    PLAT_FUTEX_WAIT_BITSET = 9, /* with an absolute time */
    PLAT_FUTEX_PRIVATE = 128    /* the word is this process's only */
};

#define PLAT_FUTEX_ANY 0xffffffffu /* all bits: whatever the waker's are */

static inline int plat_futex_op(int op, bool shared) {
    return shared ? op : op | PLAT_FUTEX_PRIVATE;
}

/* Sleeps while *word == expected, at most until deadline_ns (CLOCK_MONOTONIC; negative = forever).
 * False only when the deadline has passed. True for a wake-up, a changed word or a signal: the
 * caller looks again at its condition. */
static inline bool plat_futex_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline_ns,
                                   bool shared) {
    struct timespec until = {.tv_sec = deadline_ns / 1000000000,
                             .tv_nsec = (long)(deadline_ns % 1000000000)};
    long r = syscall(SYS_futex, word, plat_futex_op(PLAT_FUTEX_WAIT_BITSET, shared), expected,
                     deadline_ns < 0 ? NULL : &until, NULL, PLAT_FUTEX_ANY);
    cfi_assert(r == 0 || errno == EAGAIN || errno == EINTR || errno == ETIMEDOUT);
    return !(r == -1 && errno == ETIMEDOUT);
}

static inline void plat_futex_wake(_Atomic uint32_t *word, int how_many, bool shared) {
    syscall(SYS_futex, word, plat_futex_op(PLAT_FUTEX_WAKE, shared), how_many, NULL, NULL, 0);
}

static inline void plat_futex_wake_all(_Atomic uint32_t *word, bool shared) {
    plat_futex_wake(word, INT_MAX, shared);
}

#endif
