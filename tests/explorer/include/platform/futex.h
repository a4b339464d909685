/* In place of the futex: simulated threads sleep there. */
#ifndef PLATFORM_FUTEX_H
#define PLATFORM_FUTEX_H

#include "hooks.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define plat_futex_wait(word, expected, deadline_ns, shared)                                       \
    ((void)(shared), sim_futex_wait((word), (expected), (deadline_ns), #word, __func__))

#define plat_futex_wake(word, how_many, shared)                                                    \
    ((void)(shared), sim_futex_wake((word), (how_many), #word, __func__))

#define plat_futex_wake_all(word, shared) plat_futex_wake((word), INT_MAX, (shared))

#endif
