/* The public headers alone, in each language that they promise to work in: this file is compiled as
 * C11, as C17 and as C++17, and run. */
#ifdef PRIMEPOOL_HAVE_OPENMP
#include <cfutures_openmp.h>
#endif
#include <cfutures.h>

#include <stdio.h>

static int run_half(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    *(int *)result = *(const int *)arg / 2;
    return 0;
}

static int use(cf_status (*create)(const cf_pool_options *, cf_executor **)) {
    const int arg = 42;
    int result = 0;
    cf_task half_task = {"half", run_half, sizeof arg, sizeof result, "int", false};
    cf_executor *executor = NULL;
    cf_future *future = NULL;
    cf_status status = create(NULL, &executor);
    if (status == CF_OK) {
        status = cf_executor_submit(executor, &half_task, &arg, &future);
    }
    if (status == CF_OK) {
        status = cf_future_result(future, CF_FOREVER, &result);
    }
    cf_future_release(future);
    cf_executor_destroy(executor);
    printf("%s: %d\n", cf_status_name(status), result);
    return status == CF_OK && result == 21 ? 0 : 1;
}

int main(void) {
    int faults = use(cf_serial_create);
#ifdef PRIMEPOOL_HAVE_OPENMP
    faults += use(cf_openmp_create);
#endif
    return faults;
}
