/* Waiting for a word to change without giving up the processor. */
#ifndef PLATFORM_SPIN_H
#define PLATFORM_SPIN_H

/* Called between two looks at the word. */
static inline void plat_spin_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("isb" ::: "memory");
#endif
}

#endif
