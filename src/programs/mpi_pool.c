#include "programs/base/mpi_ranks.h"
#include "programs/prime/prime_program.h"

int main(int argc, char **argv) {
    static const prime_program program = {
        .name = "mpi_pool",
        .doc =
            "Checks 20 numbers for primality on the ranks of an MPI job, the greatest first, and "
            "prints the results in that order. mpirun -n 3 mpi_pool: rank 0 prints, ranks 1 and 2 "
            "check.",
        .create = mpi_ranks_create,
        .count = mpi_ranks_count,
        .worker = "MPI rank",
        .workers = "MPI ranks",
        .started_outside = true,
        .is_helper = mpi_ranks_is_helper,
        .descending = true,
    };
    mpi_ranks_mute();
    return prime_program_main(&program, argc, argv);
}
