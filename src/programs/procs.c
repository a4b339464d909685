#include "programs/prime/prime_program.h"

int main(int argc, char **argv) {
    static const prime_program program = {
        .name = "procs",
        .doc = "Checks 20 numbers for primality in worker processes, and prints each result as it "
               "is completed.",
        .create = cf_process_pool_create,
        .worker = "process",
        .workers = "processes",
        .completed = true,
        .counts_checks = true,
    };
    return prime_program_main(&program, argc, argv);
}
