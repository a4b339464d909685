/* A task on a thread may use nearly 1 MiB of stack, also where the C library gives threads less (musl). A plain
 * program. Returns 0, or 1 if the task fails; without the stack a signal ends it. */
#include "support.h"

#include <stdio.h>

enum {
    USED = 900 << 10
};

static int run_deep(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg, (void)ctx;
    volatile char frame[USED];
    for (size_t i = 0; i < USED; i += PAGE / 2) {
        frame[i] = 1;
    }
    *(char *)result = frame[PAGE];
    return 0;
}

int main(void) {
    static const cf_task task = {.run = run_deep, .result_size = 1};
    cf_executor *pool = NULL;
    char result = 0;
    cf_status status = cf_thread_pool_create(&(cf_pool_options){.max_workers = 1}, &pool);
    if (status == CF_OK) {
        status = cf_executor_map(pool, &task, NULL, 1, &result, NULL);
        cf_executor_destroy(pool);
    }
    if (status != CF_OK || result != 1) {
        fprintf(stderr, "thread_stack: %s\n", cf_status_name(status));
    }
    return status != CF_OK || result != 1;
}
