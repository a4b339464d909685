/* mpirun, or its helper on this machine, is the parent of each rank. When it has ended in any way, the rank
 * is an orphan that nobody waits for, and ends too. */
#ifndef EXECUTORS_MPI_PARENT_H
#define EXECUTORS_MPI_PARENT_H

#include <stdbool.h>

/* Who the parent is. Once. */
void cfi_mpi_parent_note(void);

/* Rank 0, now and then: if the parent has ended, sends this process a SIGTERM, and ends it a second
 * later. watched: there is a parent to look at. */
void cfi_mpi_parent_check(bool watched);

/* The parent has ended. */
bool cfi_mpi_parent_is_over(void);

#endif
