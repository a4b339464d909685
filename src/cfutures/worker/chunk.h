/* Items that travel together: one task of the executor's runs several items of the caller's task,
 * one after the other, and notes after each how far it has come.
 *
 *      argument   header | arguments, in steps of 8 bytes
 *      result     progress | results, in steps of 8 bytes | how each item ended
 *
 * So when the worker dies, or the run is declared over its time, the chunk costs only the item that
 * was running: those before it have their results, and those after it can be sent again. `begun` is
 * written before an item, `done` after it (release, as the worker may be judged at any moment, and
 * a thread whose run was taken may still be on its way out); what belongs to an item below `done`
 * does not change any more. How an item ended is written for all of them once one has not simply
 * returned 0 and a result of full size (`varied`), and for none before: most chunks have no such.
 *
 * A map on threads is direct: the items lie in the caller's arrays, and the worker leaves there what
 * the caller is to find. (Not with time limits: a thread whose run was taken must not write there.)
 *
 * The caller can take back the end of a chunk that is running, for a worker that has nothing to do:
 *
 *      worker, before item i           caller (one thread)
 *      begun = i + 1                   end = e
 *      light barrier                   heavy barrier
 *      i < end? then run it            begun <= e? then those from e on are the caller's again
 *
 * Each writes its word before it reads the other's, so no item is run twice. If the worker was
 * further than e by then the caller puts the old end back; but it may have been seen, and the worker
 * stops before some item: what it has not done is then sent again, like the rest of a chunk whose
 * worker died. None is left out. */
#ifndef CFUTURES_CHUNK_H
#define CFUTURES_CHUNK_H

#include <cfutures.h>

#include <stdatomic.h>

/* Where the items of a direct chunk lie. */
typedef struct cfi_direct {
    const unsigned char *args; /* of its first item */
    unsigned char *results;
    cf_exception *exceptions; /* NULL = not wanted */
} cfi_direct;

typedef struct cfi_chunk_header {
    cf_task_fn *run;
    size_t arg_size;
    size_t result_size;
    int64_t timeout_ns; /* of each item; <= 0 = none */
    uint32_t count;
    uint32_t attempt; /* of the first item; the others are at their first */
    uint32_t unzeroed;
    uint32_t is_direct;
    cfi_direct direct;
} cfi_chunk_header;

typedef struct cfi_chunk_ending {
    int32_t error;        /* what the item's run returned */
    uint32_t result_size; /* bytes, CFI_CHUNK_LATE if it was over its time */
} cfi_chunk_ending;

#define CFI_CHUNK_LATE UINT32_MAX

typedef struct cfi_chunk_progress {
    _Atomic uint32_t done;
    _Atomic uint32_t begun;
    _Atomic uint32_t end;    /* of those that may be begun */
    _Atomic uint32_t varied; /* the endings of all items below `done` were written (release) */
    uint32_t failed;         /* direct: the first item that returned an error, + 1; 0 = none */
    int32_t error;           /* that one's */
    int64_t busy_ns;         /* what the run took */
} cfi_chunk_progress;

static inline size_t cfi_chunk_step(size_t item_size) {
    return (item_size + 7) & ~(size_t)7;
}

static inline size_t cfi_chunk_arg_size(size_t arg_size, size_t count) {
    return sizeof(cfi_chunk_header) + cfi_chunk_step(arg_size) * count;
}

static inline size_t cfi_chunk_endings_offset(size_t result_size, size_t count) {
    return sizeof(cfi_chunk_progress) + cfi_chunk_step(result_size) * count;
}

static inline size_t cfi_chunk_result_size(size_t result_size, size_t count) {
    return cfi_chunk_endings_offset(result_size, count) + sizeof(cfi_chunk_ending) * count;
}

static inline unsigned char *cfi_chunk_args(cfi_chunk_header *header) {
    return (unsigned char *)(header + 1);
}

static inline const unsigned char *cfi_chunk_results(const cfi_chunk_progress *progress) {
    return (const unsigned char *)(progress + 1);
}

/* How item i of a chunk laid out for `count` items ended. */
cfi_chunk_ending cfi_chunk_ending_of(const cfi_chunk_progress *progress, size_t result_size,
                                     size_t count, uint32_t i);

/* The chunk's task function: its argument and result are as above. */
int cfi_chunk_run(const void *arg, void *result, cf_task_context *ctx);

/* Takes back the second half of what a running chunk has not begun. Returns its first item's number,
 * 0 where there is nothing to be had, or not at once. */
uint32_t cfi_chunk_take_back(cfi_chunk_progress *progress, bool shared);

#endif
