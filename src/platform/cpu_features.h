/* Which vector instructions may be used: the processor has them, and the operating system saves
 * their registers when it switches between threads. */
#ifndef PLATFORM_CPU_FEATURES_H
#define PLATFORM_CPU_FEATURES_H

#include <stdbool.h>

struct plat_cpu_features {
    bool avx2;
    bool avx512_ifma; /* with AVX-512 F, BW, DQ and VL */
};

/* Asks the processor at each call. All false if it is not an x86-64. */
struct plat_cpu_features plat_cpu_features_read(void);

#endif
