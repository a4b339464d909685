/* The MPI job under the contract suite. Rank 0 runs the tests. The other ranks run none: whenever a test
 * makes an executor, they are told the options, and call cf_mpi_create too.
 *
 * Ranks are processes that are no relatives, each loaded where it likes. So that tests can share memory with
 * their tasks as they do with a process pool, all ranks map one file at one address: shared_alloc takes
 * from it. The values of SEEN_BY_TASKS variables are passed on with each new executor. */
#ifndef TESTS_CONTRACT_MPI_RANKS_H
#define TESTS_CONTRACT_MPI_RANKS_H

#include <cfutures.h>
#include <stdbool.h>

/* Joins the job, with the file that CF_TEST_MPI_AREA names. Returns in rank 0, and ends the others when
 * rank 0 has called ranks_end. */
void ranks_begin(void);
void ranks_end(void);

/* As cf_mpi_create in all ranks. */
cf_status ranks_create(const cf_pool_options *options, cf_executor **executor);

/* Before each test. Takes back all memory that tests before it had, and the executor that is left. */
void ranks_reset(void);

#endif
