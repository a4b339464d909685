/* System calls that the kernel refuses, as a sandbox does it (seccomp). */
#ifndef TESTS_REFUSE_H
#define TESTS_REFUSE_H

#include <stdbool.h>

/* From now on the call fails with this errno, in this process and its children. call: "memfd_create",
 * "ftruncate", "fallocate", "mprotect", "eventfd", "openat2", "fork" (any new process) or "pthread_create" (any
 * new thread). False: the kernel cannot, or the call is not known here. */
bool refuse_call(const char *call, int error);

#endif
