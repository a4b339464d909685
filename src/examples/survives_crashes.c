/* A test of a program's own: does its work come out right when workers crash? The library must be built with
 * -DPRIMEPOOL_FAULT_POINTS=ON; the fault points are in cfutures.h. */
#include <cfutures.h>

#include <stdio.h>
#include <stdlib.h>

enum {
    COUNT = 1000
};

static int run_square(const void *arg, void *result, cf_task_context *context) {
    (void)context;
    const long n = *(const long *)arg;
    *(long *)result = n * n;
    return 0;
}

static const cf_task SQUARE = {
    .name = "square",
    .run = run_square,
    .arg_size = sizeof(long),
    .result_size = sizeof(long),
};

/* What the program does; with retries, as crashes are expected. */
static cf_status compute(const long *numbers, long *squares) {
    cf_executor *pool;
    cf_status status = cf_process_pool_create(&(cf_pool_options){.max_workers = 4}, &pool);
    if (status == CF_OK) {
        const cf_map_options options = {.chunk = 20, .retries = 100};
        status = cf_executor_map(pool, &SQUARE, numbers, COUNT, squares, &options);
        cf_executor_destroy(pool);
    }
    return status;
}

int main(void) {
    static long numbers[COUNT], squares[COUNT];
    for (long i = 0; i < COUNT; i++) {
        numbers[i] = i;
    }
    if (cf_fault_point_name(1) == NULL) {
        printf("this library has no fault points\n");
        return 0;
    }
    /* Before the first executor. One step in 100 kills the worker that takes it. Not if the variable is set:
     * then the shell decides. */
    setenv("CF_FAULT", "kill:worker@chance=0.01;seed=7", 0);
    cf_status status = compute(numbers, squares);
    if (status != CF_OK) {
        printf("failed: %s\n", cf_status_message(status));
        return 1;
    }
    for (long i = 0; i < COUNT; i++) {
        if (squares[i] != i * i) {
            printf("wrong: %ld squared is %ld\n", i, squares[i]);
            return 1;
        }
    }
    printf("all %d squares are right, some workers died\n", COUNT);
    return cf_faults_done() > 0 ? 0 : 1; /* else nothing was tested */
}
