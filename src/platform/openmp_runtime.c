#define _GNU_SOURCE
#include "platform/openmp_runtime.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

cfi_openmp_set_threads *cfi_openmp_find_set_threads(void) {
    const char *said = getenv("OMP_NUM_THREADS");
    cfi_openmp_set_threads *set_threads = NULL;
    if (said == NULL || *said == '\0') {
        /* Not linked, not even weakly: a weak name is settled when the program is linked, and would
         * miss a runtime that comes with another library. */
        void *found = dlsym(RTLD_DEFAULT, "omp_set_num_threads");
        memcpy(&set_threads, &found, sizeof found); /* ISO C has no such conversion */
    }
    return set_threads;
}
