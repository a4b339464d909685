/* Each worker makes something once, and all its tasks use it: a connection, a parser, a large
 * buffer. It needs no lock, because a worker runs one task at a time. */
#include <cfutures.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Stands for something that is expensive to make. */
typedef struct connection {
    unsigned requests;
} connection;

/* Runs on the worker, before its first task. If it fails, the pool is broken and runs no task. */
static int open_connection(void *context, unsigned worker, void **local) {
    (void)context, (void)worker; /* .context below, and the worker's index from 0 */
    *local = calloc(1, sizeof(connection));
    return *local == NULL ? ENOMEM : 0;
}

/* Runs on the worker, after its last task. */
static void close_connection(void *context, unsigned worker, void *local) {
    (void)context, (void)worker;
    free(local);
}

static int run_request(const void *arg, void *result, cf_task_context *context) {
    (void)arg;
    connection *c = cf_task_local(context);
    *(unsigned *)result = ++c->requests;
    return 0;
}

static const cf_task REQUEST = {
    .name = "request",
    .run = run_request,
    .result_size = sizeof(unsigned), /* no argument: its size is 0 */
};

static void must(cf_status status, const char *what) {
    if (status != CF_OK) {
        fprintf(stderr, "%s: %s\n", what, cf_status_message(status));
        exit(EXIT_FAILURE);
    }
}

int main(void) {
    const cf_pool_options options = {
        .max_workers = 1,
        .initializer = open_connection,
        .finalizer = close_connection,
        .context = NULL,
        /* After 3 tasks the worker is replaced. It helps with a library that leaks memory. */
        .max_tasks_per_worker = 3,
    };
    cf_executor *pool;
    must(cf_thread_pool_create(&options, &pool), "create");

    enum {
        REQUESTS = 7
    };
    unsigned numbers[REQUESTS];
    /* A chunk of a map counts as one task. */
    const cf_map_options map = {.chunk = 1};
    must(cf_executor_map(pool, &REQUEST, NULL, REQUESTS, numbers, &map), "map");
    for (int i = 0; i < REQUESTS; i++) {
        printf("request %d was number %u of its connection\n", i + 1, numbers[i]);
    }

    cf_stats stats;
    must(cf_executor_shutdown(pool, true, false), "shutdown"); /* makes the numbers final */
    must(cf_executor_stats(pool, &stats), "stats");
    printf("%d requests, %d connections\n", REQUESTS, (int)stats.retired + 1);
    cf_executor_destroy(pool);
    return EXIT_SUCCESS;
}
