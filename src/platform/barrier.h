/* An asymmetric memory barrier: nearly free on the side that runs often, dear on the other.
 *
 *   - Two sides each write a word and then read the other's. They must not both read the old value.
 *   - The frequent side (submit) calls plat_barrier_light between its write and its read. The rare
 *     side (a worker about to sleep) calls plat_barrier_heavy between its own.
 *   - If the kernel has membarrier(2), the light one is a compiler barrier, and the heavy one
 *     interrupts the processors that run the other side. If not (valgrind, a seccomp filter, an old
 *     kernel), both are full fences.
 *   - A filter may refuse membarrier later, and to one thread or worker process only, if an
 *     initializer installs it. A fence on that side alone would order nothing. So the first heavy
 *     barrier that is refused turns all light ones into full fences, and waits until those that were
 *     under way are over (barrier.c).
 *   - Measured: a full fence in every submit costs some 100 ns a task; the heavy barrier takes 1 to
 *     2 us. */
#ifndef PLATFORM_BARRIER_H
#define PLATFORM_BARRIER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    PLAT_BARRIER_FENCES,    /* both are full fences */
    PLAT_BARRIER_EXPEDITED, /* the light one is a compiler barrier, the heavy one a membarrier */
    PLAT_BARRIER_CHANGING   /* light ones are fences, but for those that began before */
};

/* Must be called before either side exists, and before the processes that share memory are forked:
 * they inherit the registration with the kernel, and share the page of plat_barrier_kind. The first
 * call decides; it may be called again. */
void plat_barrier_register(void);

/* One of the above. EXPEDITED may become CHANGING and then FENCES, which it stays. */
extern _Atomic uint32_t *plat_barrier_kind;

#if defined(__SANITIZE_THREAD__)
#define PLAT_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define PLAT_THREAD_SANITIZER 1
#endif
#endif

static inline void plat_barrier_full(void) {
#ifdef PLAT_THREAD_SANITIZER /* it does not know fences */
    static _Atomic int word;
    atomic_fetch_add_explicit(&word, 0, memory_order_seq_cst);
#else
    atomic_thread_fence(memory_order_seq_cst);
#endif
}

static inline void plat_barrier_light(void) {
    if (atomic_load_explicit(plat_barrier_kind, memory_order_relaxed) == PLAT_BARRIER_EXPEDITED) {
        atomic_signal_fence(memory_order_seq_cst);
    } else {
        plat_barrier_full();
    }
}

/* A light barrier has been a compiler barrier up to now, and each heavy one has been served. */
static inline bool plat_barrier_is_expedited(void) {
    return atomic_load_explicit(plat_barrier_kind, memory_order_relaxed) == PLAT_BARRIER_EXPEDITED;
}

/* processes: the other side may be in another process. */
void plat_barrier_heavy(bool processes);

#endif
