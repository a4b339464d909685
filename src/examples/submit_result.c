/* The smallest use: submit a task, and ask for its result or why there is none.
 *
 *     cc submit_result.c -lcfutures -o submit_result
 */
#include <cfutures.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- the task: a function, its argument and its result --------------------------------------- */

typedef struct division {
    double dividend;
    double divisor;
} division;

/* Reads its argument, writes its result, and returns 0 or an error number of its own. */
static int run_divide(const void *arg, void *result, cf_task_context *context) {
    (void)context; /* tells the worker and the attempt; not needed here */
    const division *d = arg;
    if (d->divisor == 0) {
        return EDOM;
    }
    *(double *)result = d->dividend / d->divisor;
    return 0;
}

static const cf_task DIVIDE = {
    .name = "divide",
    .run = run_divide,
    .arg_size = sizeof(division),
    .result_size = sizeof(double),
};

/* ---- main ------------------------------------------------------------------------------------ */

/* The library never prints and never exits: the program decides what a failure means. */
static void must(cf_status status, const char *what) {
    if (status != CF_OK) {
        fprintf(stderr, "%s: %s\n", what, cf_status_message(status));
        exit(EXIT_FAILURE);
    }
}

/* Waits for the task. cf_exception_describe puts every way in which it can fail into words. */
static void show(cf_future *future) {
    double quotient;
    cf_status status = cf_future_result(future, CF_FOREVER, &quotient);
    if (status == CF_OK) {
        printf("quotient: %g\n", quotient);
        return;
    }
    cf_exception why;
    char words[100];
    must(cf_future_exception(future, CF_FOREVER, &why), "exception");
    printf("no quotient: %s\n", cf_exception_describe(&why, words, sizeof words));
}

int main(void) {
    /* NULL: the default options, with one worker for each processor. With cf_process_pool_create
     * nothing else would change. */
    cf_executor *pool;
    must(cf_thread_pool_create(NULL, &pool), "create");

    /* Arguments are copied, so they may go away after the call. Both tasks may run now. */
    cf_future *good, *bad;
    must(cf_executor_submit(pool, &DIVIDE, &(division){355, 113}, &good), "submit");
    must(cf_executor_submit(pool, &DIVIDE, &(division){1, 0}, &bad), "submit");

    show(good);
    show(bad);

    cf_future_release(good); /* release every future that submit returned */
    cf_future_release(bad);
    cf_executor_destroy(pool); /* waits for its tasks and its workers */
    return EXIT_SUCCESS;
}
