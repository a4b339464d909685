/* An executor on MPI for a program's options: ranks that have served end the program, and lost ranks are
 * told on standard error. */
#ifndef PROGRAMS_MPI_RANKS_H
#define PROGRAMS_MPI_RANKS_H

#include <cfutures.h>

#include <stdbool.h>

/* By what mpirun or srun has put into the environment: this process is a rank other than 0. Before MPI is
 * initialised. False also if they have not said it. */
bool mpi_ranks_is_helper(void);

/* In a rank other than 0: until mpi_ranks_unmute what it prints is lost, and exit code 0 replaces any other.
 * While all ranks parse the same command line, so that only rank 0 says what is wrong with it, and is
 * not ended by mpirun before. No effect in other processes. */
void mpi_ranks_mute(void);
void mpi_ranks_unmute(void);

/* As cf_mpi_create, in rank 0. Unmutes. Does not return in the other ranks, nor on failure: tells why, on standard
 * error of rank 0 where that is possible. Exit code EXIT_ITEM. */
cf_status mpi_ranks_create(const cf_pool_options *options, cf_executor **executor);

/* Ranks that run tasks. */
unsigned mpi_ranks_count(cf_executor *executor);

#endif
