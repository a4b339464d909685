#include "primes/kernel.h"

#include "platform/atomic.h"
#include "platform/cpu_features.h"

#include <stdlib.h>
#include <string.h>

static const char *const NAMES[PRIME_KERNELS] = {
    [PRIME_KERNEL_PORTABLE] = "portable",
    [PRIME_KERNEL_AVX2] = "avx2",
    [PRIME_KERNEL_AVX512] = "avx512",
};

const char *prime_kernel_name(prime_kernel kernel) {
    return NAMES[kernel];
}

bool prime_kernel_available(prime_kernel kernel) {
    switch (kernel) {
#ifdef PRIMES_HAVE_AVX2
    case PRIME_KERNEL_AVX2:
        return plat_cpu_features_read().avx2;
#endif
#ifdef PRIMES_HAVE_AVX512
    case PRIME_KERNEL_AVX512:
        return plat_cpu_features_read().avx512_ifma;
#endif
    default:
        return kernel == PRIME_KERNEL_PORTABLE;
    }
}

static prime_kernel best(void) {
    int kernel = PRIME_KERNELS - 1;
    while (!prime_kernel_available((prime_kernel)kernel)) {
        kernel--;
    }
    return (prime_kernel)kernel;
}

prime_kernel_verdict prime_kernel_check(const char *name, prime_kernel *kernel) {
    prime_kernel found;
    if (!name) {
        found = best();
    } else {
        int k = 0;
        while (k < PRIME_KERNELS && strcmp(name, NAMES[k]) != 0) {
            k++;
        }
        if (k == PRIME_KERNELS) {
            return PRIME_KERNEL_UNKNOWN;
        }
        found = (prime_kernel)k;
        if (!prime_kernel_available(found)) {
            return PRIME_KERNEL_LACKING;
        }
    }
    if (kernel) {
        *kernel = found;
    }
    return PRIME_KERNEL_FOUND;
}

prime_kernel prime_kernel_chosen(void) {
    /* Threads that come here at once find the same, so it does not matter whose store is the last. */
    static _Atomic int chosen = -1;
    int kernel = plat_load_relaxed(&chosen);
    if (kernel < 0) {
        prime_kernel found;
        if (prime_kernel_check(getenv(PRIME_KERNEL_VARIABLE), &found) != PRIME_KERNEL_FOUND) {
            found = best();
        }
        kernel = (int)found;
        plat_store_relaxed(&chosen, kernel);
    }
    return (prime_kernel)kernel;
}
