/* Items that travel together: one task of the executor's runs several items of the caller's task,
 * one after the other, and notes after each how far it has come.
 *
 *      argument   header | arguments, in steps of 8 bytes
 *      result     progress | how each item ended | results, in steps of 8 bytes
 *
 * So when the worker dies, or the run is declared over its time, the chunk costs only the item that
 * was running: those before it have their results, and those after it can be sent again. `begun` is
 * written before an item, `done` after it (release, as the worker may be judged at any moment, and
 * a thread whose run was taken may still be on its way out); what belongs to an item below `done`
 * does not change any more. Submit clears both words, so a chunk that no worker has begun has none.
 * */
#ifndef CFUTURES_CHUNK_H
#define CFUTURES_CHUNK_H

#include "cfutures/executor.h"

typedef struct cfi_chunk_header {
    cf_task_fn *run;
    size_t arg_size;
    size_t result_size;
    int64_t timeout_ns; /* of each item; <= 0 = none */
    uint32_t count;
    uint32_t attempt; /* of the first item; the others are at their first */
    uint64_t unzeroed;
} cfi_chunk_header;

typedef struct cfi_chunk_ending {
    int32_t error;        /* what the item's run returned */
    uint32_t result_size; /* bytes, CFI_CHUNK_LATE if it was over its time */
} cfi_chunk_ending;

#define CFI_CHUNK_LATE UINT32_MAX

typedef struct cfi_chunk_progress {
    _Atomic uint32_t done;
    _Atomic uint32_t begun;
    cfi_chunk_ending endings[];
} cfi_chunk_progress;

static inline size_t cfi_chunk_step(size_t item_size) {
    return (item_size + 7) & ~(size_t)7;
}

static inline size_t cfi_chunk_arg_size(size_t arg_size, size_t count) {
    return sizeof(cfi_chunk_header) + cfi_chunk_step(arg_size) * count;
}

static inline size_t cfi_chunk_results_offset(size_t count) {
    return sizeof(cfi_chunk_progress) + sizeof(cfi_chunk_ending) * count;
}

static inline size_t cfi_chunk_result_size(size_t result_size, size_t count) {
    return cfi_chunk_results_offset(count) + cfi_chunk_step(result_size) * count;
}

static inline unsigned char *cfi_chunk_args(cfi_chunk_header *header) {
    return (unsigned char *)(header + 1);
}

/* The chunk's task function: its argument and result are as above. */
int cfi_chunk_run(const void *arg, void *result, cf_task_context *ctx);

#endif
