#include "programs/prime/prime_program.h"

int main(int argc, char **argv) {
    static const prime_program program = {
        .name = "proc_pool",
        .doc = "Checks 20 numbers for primality in worker processes, the greatest first, and "
               "prints the results in that order.",
        .create = cf_process_pool_create,
        .worker = "process",
        .workers = "processes",
        .descending = true,
    };
    return prime_program_main(&program, argc, argv);
}
