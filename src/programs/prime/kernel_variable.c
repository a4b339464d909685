#include "programs/prime/kernel_variable.h"

#include "primes/kernel.h"

#include <stdio.h>
#include <stdlib.h>

/* "portable, avx2, avx512": of all kernels, those to be had. */
static void list_kernels(char *list, size_t size) {
    size_t length = 0;
    list[0] = '\0';
    for (int k = 0; k < PRIME_KERNELS && length < size; k++) {
        if (prime_kernel_available((prime_kernel)k)) {
            length += (size_t)snprintf(list + length, size - length, "%s%s", k > 0 ? ", " : "",
                                       prime_kernel_name((prime_kernel)k));
        }
    }
}

/* The processor is asked only if there is something to judge: under a hypervisor that takes a while. */
void kernel_variable_check(struct argp_state *state) {
    const char *name = getenv(PRIME_KERNEL_VARIABLE);
    const prime_kernel_verdict verdict =
        name != NULL ? prime_kernel_check(name, NULL) : PRIME_KERNEL_FOUND;
    if (verdict == PRIME_KERNEL_FOUND) {
        return;
    }
    char list[64];
    list_kernels(list, sizeof list);
    if (verdict == PRIME_KERNEL_UNKNOWN) {
        argp_error(state, "%s: '%s' is no kernel; here it may be one of: %s", PRIME_KERNEL_VARIABLE,
                   name, list);
    } else {
        argp_error(state,
                   "%s: kernel '%s' is not in this build, or this machine cannot run it; here it "
                   "may be one of: %s",
                   PRIME_KERNEL_VARIABLE, name, list);
    }
}
