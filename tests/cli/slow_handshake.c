/* Loaded before a program's own libraries: each certificate that OpenSSL verifies takes SLOW_HANDSHAKE_MS of CPU time
 * more. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

static int64_t cpu_ns(void) {
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int X509_verify_cert(void *context);
int X509_verify_cert(void *context) {
    int (*verify)(void *);
    *(void **)&verify = dlsym(RTLD_NEXT, "X509_verify_cert");
    const int64_t end_ns = cpu_ns() + atoll(getenv("SLOW_HANDSHAKE_MS")) * 1000000;
    while (cpu_ns() < end_ns) {}
    return verify(context);
}
