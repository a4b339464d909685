/* A map over 14 numbers on a pool of threads, its results handed out one by one and in order. */
#include "primes/primes.h"
#include "programs/demo/demo.h"

#include <inttypes.h>
#include <stdlib.h>

static const uint64_t PRIMES[] = {
    112272535095293,  112582705942171, 112272535095293, 115280095190773, 115797848077099,
    1099726899285419, 112545606449,    4894348954034,   4236544062,      11112324353465,
    12134123432,      423578924023,    12433323433,     12334452364,
};

enum {
    COUNT = sizeof PRIMES / sizeof PRIMES[0]
};

static int run_is_prime(const void *arg, void *result, cf_task_context *context) {
    (void)context;
    const uint64_t n = *(const uint64_t *)arg;
    demo_display("is_prime(%" PRIu64 "): doing calculating...", n);
    *(bool *)result = is_prime_trial(n);
    demo_display("is_prime(%" PRIu64 "): done.", n);
    return 0;
}

static const cf_task IS_PRIME = {
    .name = "is_prime",
    .run = run_is_prime,
    .arg_size = sizeof(uint64_t),
    .result_size = sizeof(bool),
};

/* One number for each call. */
static cf_source_answer give_number(void *context, void *arg) {
    size_t *given = context;
    if (*given == COUNT) {
        return CF_SOURCE_END;
    }
    *(uint64_t *)arg = PRIMES[(*given)++];
    return CF_SOURCE_ITEM;
}

int main(int argc, char **argv) {
    unsigned workers = 3;
    const command_line_positional positionals[] = {{"WORKERS", 1, CF_WORKERS_MAX, &workers}, {0}};
    demo_prepare("Checks 14 numbers for primality on WORKERS threads, and tells when each check "
                 "begins, when it ends, and when its result is handed out."
                 "\vWORKERS is a number from 1 to 1024, by default 3.\n\n" DEMO_EXIT_DOC,
                 "[WORKERS]", positionals, argc, argv);

    demo_display("Script starting.");
    cf_executor *pool;
    const cf_pool_options options = {.max_workers = workers};
    demo_require(cf_thread_pool_create(&options, &pool), "create the pool");

    cf_stream *results;
    size_t given = 0;
    const cf_stream_options map = {.chunk = 1, .size_hint = COUNT};
    demo_require(cf_stream_open(pool, &IS_PRIME, give_number, &given, &map, &results), "begin");
    char text[64];
    demo_display("results: %s", cf_stream_describe(results, text, sizeof text));

    demo_display("Waiting for individual results:");
    cf_status status;
    cf_stream_item item;
    while ((status = cf_stream_next(results, CF_FOREVER, &item)) == CF_OK) {
        demo_require_success(&item.exception);
        const bool prime = *(const bool *)item.result;
        demo_display("result %" PRIu64 ": %s", item.index, prime ? "True" : "False");
    }
    if (status != CF_EEXHAUSTED) {
        demo_require(status, "go on");
    }
    cf_stream_close(results);
    cf_executor_destroy(pool);
    return EXIT_SUCCESS;
}
