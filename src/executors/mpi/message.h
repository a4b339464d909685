/* What ranks send each other. A message is a head and a number of entries; each entry is followed by as
 * many bytes as it says, rounded up to 8. All ranks run the same program on the same kind of machine,
 * as the handshake has found: so structs travel as they lie in memory.
 *
 *      rank 0                              rank r
 *      ◀──────────────────────────── HELLO    who it is, how many workers it has
 *      WELCOME or OVER ───────────────────▶
 *      CODE, TASKS, SIGNAL ───────────────▶   runs the tasks in its pool
 *      RECALL ────────────────────────────▶   gives back those that have not begun
 *      ◀────────────────────────── ANSWERS
 *      PING ──────────────────────────────▶
 *      ◀──────────────────────────── ALIVE    also unasked, while nothing else is to be said
 *      ◀─────────────────────────── BROKEN    its pool is: it runs nothing more
 *      STOP ──────────────────────────────▶   lets its workers end
 *      ◀────────────────────────── STOPPED
 *      OVER ──────────────────────────────▶   not wanted any more: its cf_mpi_create returns; once
 *      END ───────────────────────────────▶   rank 0's program ends
 *      ◀──────────────────────────────── BYE    the last of all */
#ifndef EXECUTORS_MPI_MESSAGE_H
#define EXECUTORS_MPI_MESSAGE_H

#include "executors/mpi/code.h"

#include <cfutures.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum cfi_mpi_kind {
    CFI_MPI_HELLO,
    CFI_MPI_WELCOME,
    CFI_MPI_CODE,
    CFI_MPI_TASKS,
    CFI_MPI_ANSWERS,
    CFI_MPI_SIGNAL,
    CFI_MPI_RECALL,
    CFI_MPI_PING,
    CFI_MPI_ALIVE,
    CFI_MPI_BROKEN,
    CFI_MPI_STOP,
    CFI_MPI_STOPPED,
    CFI_MPI_OVER,
    CFI_MPI_END, /* its entry: a uint32_t, not 0 if some rank is lost */
    CFI_MPI_BYE,
} cfi_mpi_kind;

typedef struct cfi_mpi_head {
    uint32_t kind;
    uint32_t count;             /* of entries */
    uint32_t restarts, retired; /* of the sender's pool, so far */
} cfi_mpi_head;

/* Where a process runs, so that others know whether they can see it. */
typedef struct cfi_mpi_place {
    char boot[40]; /* the machine since it was booted */
    uint64_t pids; /* the namespace of process numbers */
    int64_t pid;
    char host[64];
} cfi_mpi_place;

typedef struct cfi_mpi_hello {
    uint32_t layout; /* CFI_MPI_LAYOUT */
    uint32_t workers;
    uint64_t program; /* cfi_mpi_code_program */
    cfi_mpi_place place;
} cfi_mpi_hello;

/* Changes with each struct here. */
#define CFI_MPI_LAYOUT                                                                             \
    (UINT32_C(1) << 24 | (uint32_t)(sizeof(cfi_mpi_task) << 12 | sizeof(cfi_mpi_hello)))

typedef struct cfi_mpi_welcome {
    uint64_t first_worker; /* number of the rank's first worker */
    int64_t silence_ns;
    cfi_mpi_place place;
} cfi_mpi_welcome;

typedef struct cfi_mpi_over {
    char sentence[256]; /* why the rank cannot serve; empty: it has served */
} cfi_mpi_over;

/* Names a function: tasks have only its number. */
typedef struct cfi_mpi_named_code {
    uint64_t number;
    cfi_mpi_code code;
} cfi_mpi_named_code;

enum {
    CFI_MPI_IS_CHUNK =
        1, /* the argument is a cfi_chunk_header with its items; `code` runs an item */
    CFI_MPI_IS_UNZEROED = 2,
};

typedef struct cfi_mpi_task {
    uint32_t flight; /* rank 0's number for this run */
    uint32_t attempt;
    uint32_t flags;
    uint32_t code;
    uint32_t arg_size; /* bytes that follow */
    uint32_t result_size;
    int64_t timeout_ns; /* <= 0 = none */
} cfi_mpi_task;

typedef struct cfi_mpi_answer {
    uint32_t flight;
    uint32_t
        size; /* bytes that follow: the result; of a chunk, what cfi_chunk_result_size counts */
    int32_t outcome; /* a cf_status */
    int32_t detail;  /* CF_ETASK: the task's error number; CF_EWORKER: wait status of its worker */
    int64_t run_ns;  /* how long the task ran; 0 = unknown */
} cfi_mpi_answer;

typedef struct cfi_mpi_broken {
    uint32_t in_initializer; /* else the rank cannot run anything more */
    int32_t error;           /* what the initializer returned */
    int32_t wait_status;     /* of a worker that died in it */
    int32_t worker;          /* of the executor; -1 = unknown */
} cfi_mpi_broken;

static inline size_t cfi_mpi_padded(size_t size) {
    return (size + 7) & ~(size_t)7;
}

#endif
