/* Items that travel together: one task of the executor runs several items of the caller's task one
 * after the other, and notes after each how far it has come.
 *
 *      argument   header | arguments, in steps of 8 bytes
 *      result     progress | results, in steps of 8 bytes | how each item ended
 *
 * If the worker dies, or the run is declared over its time, the chunk loses only the item that was
 * running. The items before it have their results; those after it can be sent again.
 *
 *   - The worker writes `begun` before an item and `done` after it. Both are releases: the worker
 *     may be judged at any moment, and a thread whose run was taken may still be running.
 *   - It may take several tiny items at once (`together`), and writes `begun` for all of them before the
 *     first. The item that runs is number `done`.
 *   - What belongs to an item below `done` does not change any more.
 *   - Most chunks have only items that return 0 and a result of full size: how those ended is not
 *     written. With the first item that ends otherwise it is written for all (`varied`).
 *
 * A map on threads is direct: the worker reads and writes the caller's arrays in place (map.c).
 *
 *   - Why: to copy 8 bytes in and out costs as much as a small task.
 *   - Not with time limits: a thread whose run was taken must not write there any more.
 *   - Not inside a task: there the map may have to return while an item is still running.
 *
 * The caller can take back the end of a running chunk, for a worker that has nothing to do:
 *
 *      worker, before items i to k     caller (one thread)
 *      begun = k + 1                   end = e
 *      light barrier                   heavy barrier
 *      runs those below end            begun <= e? then those from e on are the caller's again
 *
 *   - Each writes its word before it reads the other's, so no item is run twice.
 *   - If the worker was further than e by then, the caller puts the old end back. The worker may
 *     have seen e all the same, and then stops before some item. What it has not done is sent
 *     again, like the rest of a chunk whose worker died. So no item is left out. */
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
    uint32_t together; /* items that the worker takes at once, at least 1 (pace.h) */
    cfi_direct direct;
    uint64_t first; /* number of its first item in the map or stream; for an observer */
} cfi_chunk_header;

typedef struct cfi_chunk_ending {
    int32_t error;        /* what the item's run returned */
    uint32_t result_size; /* bytes, CFI_CHUNK_LATE if it was over its time */
} cfi_chunk_ending;

#define CFI_CHUNK_LATE UINT32_MAX

typedef struct cfi_chunk_progress {
    _Atomic uint32_t done;
    _Atomic uint32_t begun;
    _Atomic uint32_t end;    /* items below it may be begun; the caller's */
    _Atomic uint32_t varied; /* the endings of all items below `done` were written (release) */
    uint32_t failed;         /* direct: the first item that returned an error, + 1; 0 = none */
    int32_t error;           /* of that item */
    int64_t busy_ns;         /* how long the run took */
} cfi_chunk_progress;

/* A direct chunk has nothing else, in a block of 128 bytes: a pair of cache lines of its own (the arena
 * places such a block so). For each item its worker writes to `done` and reads `end`, and no other worker
 * or submitter has anything to do there. The caller does when it takes items back. */
_Static_assert(sizeof(cfi_chunk_header) + sizeof(cfi_chunk_progress) > 96 &&
                   sizeof(cfi_chunk_header) + sizeof(cfi_chunk_progress) <= 128,
               "direct chunks do not share lines");

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

/* The chunk's task function. Its argument and result are laid out as above. */
int cfi_chunk_run(const void *arg, void *result, cf_task_context *ctx);

/* Takes back the second half of the items that a running chunk has not begun. end: what the caller
 * wrote there. Returns the number of the first of them. 0: there is nothing to take back, or not
 * now. */
uint32_t cfi_chunk_take_back(cfi_chunk_progress *progress, uint32_t end, bool shared);

#endif
