#define _GNU_SOURCE
#include "platform/openmp_runtime.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

plat_openmp_set_threads *plat_openmp_find_set_threads(void) {
    const char *said = getenv("OMP_NUM_THREADS");
    plat_openmp_set_threads *set_threads = NULL;
    if (said == NULL || *said == '\0') {
        /* By name at run time, so that libcfutures needs no OpenMP. A weak reference is resolved
         * when the program is linked, and misses a runtime that another library brings. */
        void *found = dlsym(RTLD_DEFAULT, "omp_set_num_threads");
        memcpy(&set_threads, &found, sizeof found); /* ISO C has no conversion */
    }
    return set_threads;
}
