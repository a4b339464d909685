#include "programs/prime/prime_program.h"

#include <cfutures_openmp.h>

int main(int argc, char **argv) {
    static const prime_program program = {
        .name = "openmp_pool",
        .doc = "Checks 20 numbers for primality on the threads of an OpenMP team, the greatest "
               "first, and prints the results in that order.",
        .create = cf_openmp_create,
        .worker = "OpenMP thread",
        .workers = "OpenMP threads",
        .descending = true,
    };
    return prime_program_main(&program, argc, argv);
}
