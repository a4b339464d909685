/* Which function a task is, in words that mean the same in every rank: addresses differ, because each
 * process loads programs and libraries where it likes.
 *
 * A module is the program or a shared library. Its fingerprint is that of its build id, if the linker has
 * given it one, else of all its bytes that are not writable. */
#ifndef EXECUTORS_MPI_CODE_H
#define EXECUTORS_MPI_CODE_H

#include <cfutures.h>

#include <stdbool.h>
#include <stdint.h>

typedef struct cfi_mpi_code {
    uint64_t module; /* its fingerprint */
    uint64_t offset; /* from where it is loaded */
} cfi_mpi_code;

/* False: the function lies in no module that is loaded now. */
bool cfi_mpi_code_of(cf_task_fn *run, cfi_mpi_code *code);

/* NULL: this process has no such module, or it does not have code there. */
cf_task_fn *cfi_mpi_code_find(cfi_mpi_code code);

/* The program's own fingerprint. */
uint64_t cfi_mpi_code_program(void);

#endif
