#include "programs/prime/prime_program.h"

int main(int argc, char **argv) {
    static const prime_program program = {
        .name = "threads",
        .doc = "Checks 20 numbers for primality on worker threads, and prints each result as it is "
               "completed.",
        .create = cf_thread_pool_create,
        .worker = "thread",
        .workers = "threads",
        .completed = true,
        .counts_checks = true,
    };
    return prime_program_main(&program, argc, argv);
}
