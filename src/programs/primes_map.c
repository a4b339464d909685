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

static void show(const cf_stream_item *item) {
    const bool prime = *(const bool *)item->result;
    demo_display("result %" PRIu64 ": %s", item->index, prime ? "True" : "False");
}

int main(int argc, char **argv) {
    unsigned workers = 3;
    const command_line_positional positionals[] = {{"WORKERS", 1, CF_WORKERS_MAX, &workers}, {0}};
    demo_prepare("Checks 14 numbers for primality on WORKERS threads, and tells when each check "
                 "begins, when it ends, and when its result is handed out."
                 "\vWORKERS is a number from 1 to 1024, by default 3.\n\n" DEMO_EXIT_DOC,
                 "[WORKERS]", NULL, positionals, argc, argv);
    return demo_map(workers, &IS_PRIME, PRIMES, COUNT, show);
}
