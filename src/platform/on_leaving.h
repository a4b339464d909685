/* A function that is called when a variable's block is left: at its end, by return, and where the
 * compiler is told so (-fexceptions) also when a C++ exception or pthread_exit leaves it. GCC and
 * clang have it. */
#ifndef PLATFORM_ON_LEAVING_H
#define PLATFORM_ON_LEAVING_H

/* f takes the variable's address. */
#define CFI_ON_LEAVING(f) __attribute__((cleanup(f)))

#endif
