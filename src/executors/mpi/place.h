/* Where a process runs, and whether this one can see that it lives. */
#ifndef EXECUTORS_MPI_PLACE_H
#define EXECUTORS_MPI_PLACE_H

#include "executors/mpi/message.h"

/* This process's own. */
cfi_mpi_place cfi_mpi_place_of_process(void);

/* Processes there are seen here: the same machine, and the same numbers of processes. */
bool cfi_mpi_place_is_seen(const cfi_mpi_place *own, const cfi_mpi_place *other);

/* The process has ended. Only of one that is seen. */
bool cfi_mpi_place_is_over(const cfi_mpi_place *other);

#endif
