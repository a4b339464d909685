/* Which of the vector kernels computes.
 *
 * Every kernel gives the same answers; the best that this build has and this machine can run is
 * taken, or the one that the environment variable PRIMEPOOL_KERNEL names. */
#ifndef PRIMES_KERNEL_H
#define PRIMES_KERNEL_H

#include <stdbool.h>

typedef enum prime_kernel {
    PRIME_KERNEL_PORTABLE, /* plain C, always there */
    PRIME_KERNEL_AVX2,
    PRIME_KERNEL_AVX512 /* AVX-512 with IFMA */
} prime_kernel;

#define PRIME_KERNELS 3

/* The environment variable that forces one, by its name. */
#define PRIME_KERNEL_VARIABLE "PRIMEPOOL_KERNEL"

/* "portable", "avx2", "avx512" */
const char *prime_kernel_name(prime_kernel kernel);

/* This build has it, and this machine can run it. */
bool prime_kernel_available(prime_kernel kernel);

typedef enum prime_kernel_verdict {
    PRIME_KERNEL_FOUND,
    PRIME_KERNEL_UNKNOWN, /* no kernel is called so */
    PRIME_KERNEL_LACKING  /* this build does not have it, or this machine cannot run it */
} prime_kernel_verdict;

/* Judges a name, such as the value of PRIMEPOOL_KERNEL; NULL, the variable unset, is FOUND: the best
 * one. *kernel is written for FOUND only, and may be NULL. A program calls it with the variable's
 * value to complain of one that prime_kernel_chosen would pass over. */
prime_kernel_verdict prime_kernel_check(const char *name, prime_kernel *kernel);

/* What PRIMEPOOL_KERNEL names when this is first called, and from then on; the best one where the
 * variable is unset or prime_kernel_check does not find it. Any thread may call it. */
prime_kernel prime_kernel_chosen(void);

#endif
