/* A library that only rank 0 loads. */
#include <cfutures.h>

int foreign(const void *arg, void *result, cf_task_context *ctx);

int foreign(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    *(uint64_t *)result = *(const uint64_t *)arg + 1;
    return 0;
}
