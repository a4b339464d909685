/* What the other ranks do: they run rank 0's tasks until it is done. */
#ifndef EXECUTORS_MPI_SERVE_H
#define EXECUTORS_MPI_SERVE_H

#include "executors/mpi/station.h"

/* Tells rank 0 that this rank is here, and serves. CF_ESERVED: rank 0 is done, or does not want
 * this rank any more. Else why it cannot serve; reason: a sentence, `size` bytes. */
cf_status cfi_mpi_serve(cfi_mpi_link *link, cfi_mpi_station *station, char *reason, size_t size);

#endif
