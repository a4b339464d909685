/* The memory of one executor: control words, worker records and slots at fixed places, then blocks.
 *
 * Everything that workers see lies in one region, so that it means the same in every process;
 * blocks are named by their offset. Blocks are taken and given back by the caller's process alone,
 * under the executor's lock: no worker can die while it changes the lists. Memory given back is
 * kept for the next block of its size and returned to the system with the executor. */
#ifndef CFUTURES_ARENA_H
#define CFUTURES_ARENA_H

#include "platform/region.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CFI_BLOCK_MIN_LOG2 = 6,    /* a cache line */
    CFI_BLOCK_CHUNK_LOG2 = 16, /* smaller blocks are cut from chunks of this size */
    CFI_BLOCK_MAX_LOG2 = 27,   /* 64 MiB of argument and of result */
};

typedef struct cfi_arena {
    cfi_region region;
    size_t used;      /* bytes given out so far, from the start of the region */
    size_t committed; /* bytes that may be touched, from `blocks` on */
    size_t limit;     /* of `used` */
    uint64_t free_block[CFI_BLOCK_MAX_LOG2 + 1]; /* by log2 of the size; 0 = none, else linked by
                                                    the first 8 bytes of the block */
} cfi_arena;

/* fixed: bytes at the start of the region that are not blocks (a multiple of 64 KiB). */
bool cfi_arena_create(cfi_arena *arena, size_t fixed, size_t limit, bool shared);
void cfi_arena_destroy(cfi_arena *arena);

/* Makes part of the fixed area usable. */
bool cfi_arena_commit_fixed(cfi_arena *arena, size_t offset, size_t length);

/* A block of at least `size` bytes, aligned in the region to its rounded-up size or to 64 KiB,
 * whichever is less. Its content is undefined. 0 when there is no memory. */
uint64_t cfi_arena_take(cfi_arena *arena, size_t size);
void cfi_arena_give(cfi_arena *arena, uint64_t block, size_t size);

#endif
