#include "programs/prime/prime_program.h"

int main(int argc, char **argv) {
    static const prime_program program = {
        .name = "thread_pool",
        .doc = "Checks 20 numbers for primality on worker threads, the greatest first, and prints "
               "the results in that order.",
        .create = cf_thread_pool_create,
        .worker = "thread",
        .workers = "threads",
        .descending = true,
    };
    return prime_program_main(&program, argc, argv);
}
