/* The OpenMP runtime that the program may have in it, for its own regions or a library's. */
#ifndef PLATFORM_OPENMP_RUNTIME_H
#define PLATFORM_OPENMP_RUNTIME_H

/* Sets how many threads the calling thread's next regions get, if they do not say so themselves. */
typedef void cfi_openmp_set_threads(int threads);

/* NULL: there is no runtime, as far as can be seen now (it may be loaded later, be hidden behind
 * dlopen's RTLD_LOCAL, or be part of a static program); or OMP_NUM_THREADS has said how many. */
cfi_openmp_set_threads *cfi_openmp_find_set_threads(void);

#endif
