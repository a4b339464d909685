/* PRIMEPOOL_KERNEL, for programs that compute with the kernels of primes/kernel.h. */
#ifndef PROGRAMS_KERNEL_VARIABLE_H
#define PROGRAMS_KERNEL_VARIABLE_H

#include <argp.h>

/* A usage error if it is set to anything but a kernel that this build has and this machine can run:
 * the kernels themselves would pass it over. */
void kernel_variable_check(struct argp_state *state);

#endif
