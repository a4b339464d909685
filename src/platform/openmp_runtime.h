/* The OpenMP runtime that the program may contain, for its own regions or a library's. */
#ifndef PLATFORM_OPENMP_RUNTIME_H
#define PLATFORM_OPENMP_RUNTIME_H

/* Sets how many threads the calling thread's next regions get, if they do not say so themselves. */
typedef void plat_openmp_set_threads(int threads);

/* NULL: OMP_NUM_THREADS sets the number, or no runtime is visible now. (It may be loaded later,
 * hidden by dlopen's RTLD_LOCAL, or part of a static program.) */
plat_openmp_set_threads *plat_openmp_find_set_threads(void);

#endif
