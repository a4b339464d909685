/* In a process pool a crash affects one task. The worker is replaced, the program and all other
 * tasks go on, and the future says what happened. With retries the task is run again. */
#include <cfutures.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

/* Crashes in its first attempts: the argument says in how many. */
static int run_clumsy(const void *arg, void *result, cf_task_context *context) {
    const unsigned crashes = *(const unsigned *)arg;
    const unsigned attempt = cf_task_attempt(context); /* 1, 2, ... */
    if (attempt <= crashes) {
        raise(SIGSEGV); /* like a wrong pointer */
    }
    *(unsigned *)result = attempt;
    return 0;
}

static const cf_task CLUMSY = {
    .name = "clumsy",
    .run = run_clumsy,
    .arg_size = sizeof(unsigned),
    .result_size = sizeof(unsigned),
};

static void must(cf_status status, const char *what) {
    if (status != CF_OK) {
        fprintf(stderr, "%s: %s\n", what, cf_status_message(status));
        exit(EXIT_FAILURE);
    }
}

static void show(const char *name, cf_future *future) {
    unsigned attempts;
    cf_status status = cf_future_result(future, CF_FOREVER, &attempts);
    if (status == CF_OK) {
        printf("%s: done, attempt %u\n", name, attempts);
        return;
    }
    cf_exception why;
    char words[100];
    must(cf_future_exception(future, CF_FOREVER, &why), "exception");
    printf("%s: %s\n", name, cf_exception_describe(&why, words, sizeof words));
}

int main(void) {
    /* Create process pools first, before the program has threads or anything else that the workers
     * should not inherit. */
    cf_executor *pool;
    must(cf_process_pool_create(&(cf_pool_options){.max_workers = 2}, &pool), "create");

    static const struct {
        const char *name;
        unsigned crashes;
        unsigned retries; /* 0 is the default: a task that died may have done half its work */
    } cases[] = {{"steady", 0, 0}, {"unlucky", 1, 2}, {"hopeless", 9, 2}, {"unforgiven", 1, 0}};
    enum {
        CASES = sizeof cases / sizeof cases[0]
    };

    cf_future *futures[CASES];
    for (int i = 0; i < CASES; i++) {
        const cf_submit_options options = {.retries = cases[i].retries};
        must(cf_executor_submit_with(pool, &CLUMSY, &cases[i].crashes, &options, &futures[i]),
             "submit");
    }
    for (int i = 0; i < CASES; i++) {
        show(cases[i].name, futures[i]);
        cf_future_release(futures[i]);
    }

    cf_stats stats;
    must(cf_executor_shutdown(pool, true, false), "shutdown"); /* makes the numbers final */
    must(cf_executor_stats(pool, &stats), "stats");
    printf("%d crashes, each followed by a retry or a failure\n",
           (int)stats.retries + (int)stats.failed);
    cf_executor_destroy(pool);
    return EXIT_SUCCESS;
}
