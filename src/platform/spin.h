/* Waiting for a word to change without sleeping. */
#ifndef PLATFORM_SPIN_H
#define PLATFORM_SPIN_H

#include <sched.h>

/* Called between two looks at the word. */
static inline void plat_spin_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("isb" ::: "memory");
#endif
}

/* Any other thread that waits for this processor has it first, perhaps for some milliseconds. */
static inline void plat_spin_offer(void) {
    sched_yield();
}

#endif
