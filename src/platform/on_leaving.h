/* Calls a function when a variable's block is left: at its end, by return, and in files compiled
 * with -fexceptions also by a C++ exception or pthread_exit. GCC and clang have it. */
#ifndef PLATFORM_ON_LEAVING_H
#define PLATFORM_ON_LEAVING_H

/* Calls f with the variable's address. */
#define PLAT_ON_LEAVING(f) __attribute__((cleanup(f), unused))

#endif
