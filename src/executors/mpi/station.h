/* Where a rank runs its tasks: a thread pool or process pool, and the tasks of rank 0 that are in it.
 *
 *      message ──take──▶ submit ──▶ the rank's pool ──▶ futures ──collect──▶ message
 *
 * One thread uses a station: the rank's own in serve.c, or rank 0's manager. It never waits for a task,
 * so it answers however long tasks are. */
#ifndef EXECUTORS_MPI_STATION_H
#define EXECUTORS_MPI_STATION_H

#include "executors/core_functions.h"
#include "executors/mpi/link.h"

#include <cfutures_mpi.h>

typedef struct cfi_mpi_station cfi_mpi_station;

/* Creates the pool; starts none of its workers. On CF_OK the caller owns *station. */
cf_status cfi_mpi_station_create(const cfi_core_functions *core, const cf_pool_options *options,
                                 const cf_mpi_options *mpi, cfi_mpi_station **station);

/* Not more workers than so many; none, if no task will come. Before the first task. */
void cfi_mpi_station_limit(cfi_mpi_station *station, unsigned workers);
unsigned cfi_mpi_station_workers(const cfi_mpi_station *station);

/* The number of its first worker in the whole executor. Before the first task. */
void cfi_mpi_station_number(cfi_mpi_station *station, unsigned first_worker);

/* Does what the message asks for, which is CODE, TASKS, SIGNAL, RECALL or STOP; ignores others. */
void cfi_mpi_station_take(cfi_mpi_station *station, const cfi_mpi_head *head, size_t size);

/* The next thing that is to be said: ANSWERS, BROKEN or STOPPED. NULL: nothing, or no memory now. */
cfi_mpi_parcel *cfi_mpi_station_collect(cfi_mpi_station *station);

/* Until a task may be done, or that time has passed. */
void cfi_mpi_station_wait(cfi_mpi_station *station, int64_t timeout_ns);

/* Has tasks that are not answered. */
bool cfi_mpi_station_is_busy(const cfi_mpi_station *station);

/* Kills its worker processes, asks its threads to return, and does not wait for either. */
void cfi_mpi_station_kill(cfi_mpi_station *station);

/* kill: does not wait for tasks; if threads still run some, the station stays as long as the
 * process. NULL is allowed. */
void cfi_mpi_station_destroy(cfi_mpi_station *station, bool kill);

#endif
