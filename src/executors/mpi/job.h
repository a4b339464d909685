/* This process's part in the MPI job: made once, and the same for all executors of the process. */
#ifndef EXECUTORS_MPI_JOB_H
#define EXECUTORS_MPI_JOB_H

#include "executors/mpi/link.h"

/* Joins the job. NULL: *reason says why not, and *status is what cf_mpi_create returns.
 * patience_ns: how long rank 0 waits for the others to call it for the first time. */
cfi_mpi_link *cfi_mpi_job_join(int64_t patience_ns, cf_status *status, const char **reason);

/* This process is a fork of the one that has joined: it has nothing to do with MPI. */
bool cfi_mpi_job_is_inherited(void);

/* How many of the ranks that run tasks share this rank's processors, itself included. */
unsigned cfi_mpi_job_sharers(void);
/* The same question for the first time, to be answered by all ranks: does this one run tasks? */
bool cfi_mpi_job_compare(bool runs_tasks);

/* Where a rank runs: to see whether it lives. */
void cfi_mpi_job_note_place(int rank, const cfi_mpi_place *place);

/* Rank 0: at exit `halt` is called with its executor, so that the executor uses MPI no more. False:
 * it still does. Both NULL: rank 0 has no executor now. */
void cfi_mpi_job_lead(void *executor, bool (*halt)(void *executor));

/* Another rank: rank 0's program ends. alone: some rank is lost, so MPI must not be finalised,
 * because that waits for all ranks. */
void cfi_mpi_job_ends(bool alone);

/* Rank 0: which ranks are lost, for executors that come later. */
bool cfi_mpi_job_has_lost(int rank);
void cfi_mpi_job_lose(int rank, bool lost);

#endif
