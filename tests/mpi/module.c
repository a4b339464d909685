/* A library that test_code loads, in several builds. */
#include <cfutures.h>

#include <stdint.h>

int module_task(const void *arg, void *result, cf_task_context *ctx);
int module_task(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg;
    (void)ctx;
    *(uint64_t *)result = MODULE;
    return 0;
}
