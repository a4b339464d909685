/* Results as they are done, with progress: quick tasks do not wait for slow ones. */
#include <cfutures.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    TASKS = 8
};

/* Each step halves an even number, and triples an odd one and adds 1. Finds the most steps that any
 * number up to a limit needs to reach 1. */
static int run_longest_way(const void *arg, void *result, cf_task_context *context) {
    (void)context;
    const uint64_t limit = *(const uint64_t *)arg;
    unsigned most = 0;
    for (uint64_t start = 1; start <= limit; start++) {
        unsigned steps = 0;
        for (uint64_t n = start; n != 1; steps++) {
            n = n % 2 == 0 ? n / 2 : 3 * n + 1;
        }
        most = steps > most ? steps : most;
    }
    *(unsigned *)result = most;
    return 0;
}

static const cf_task LONGEST_WAY = {
    .name = "longest_way",
    .run = run_longest_way,
    .arg_size = sizeof(uint64_t),
    .result_size = sizeof(unsigned),
};

static void must(cf_status status, const char *what) {
    if (status != CF_OK) {
        fprintf(stderr, "%s: %s\n", what, cf_status_message(status));
        exit(EXIT_FAILURE);
    }
}

int main(void) {
    uint64_t limits[TASKS];
    cf_future *futures[TASKS];
    cf_executor *pool;
    must(cf_thread_pool_create(NULL, &pool), "create");

    /* The largest first: the longest task should not begin last. */
    for (size_t i = 0; i < TASKS; i++) {
        limits[i] = (TASKS - i) * 20000;
    }
    must(cf_executor_submit_many(pool, &LONGEST_WAY, limits, TASKS, NULL, futures, NULL), "submit");

    /* Hands the futures out in the order in which their tasks end. `i` is the index of the future
     * in its array, and so of the argument too. */
    cf_as_completed *done;
    must(cf_as_completed_create(futures, TASKS, &done), "as_completed");
    cf_status status;
    cf_future *future;
    size_t i;
    for (int count = 1; (status = cf_as_completed_next(done, CF_FOREVER, &future, &i)) == CF_OK;
         count++) {
        unsigned steps;
        must(cf_future_result(future, CF_FOREVER, &steps), "result"); /* does not wait */
        printf("%d of %d: up to %d the longest way has %u steps\n", count, TASKS, (int)limits[i],
               steps);
    }
    if (status != CF_EEXHAUSTED) { /* CF_EEXHAUSTED: all have been handed out */
        must(status, "next");
    }

    cf_as_completed_destroy(done);
    for (i = 0; i < TASKS; i++) {
        cf_future_release(futures[i]);
    }
    cf_executor_destroy(pool);
    return EXIT_SUCCESS;
}
