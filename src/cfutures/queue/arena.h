/* The memory of one executor: control words, worker records and tables at fixed places, then
 * blocks.
 *
 * Everything that workers see lies in one region, so that it means the same in every process;
 * blocks are named by their offset. Blocks are taken and given back by the caller's process alone,
 * under the executor's lock: no worker can die while it changes the lists.
 *
 * Blocks come out of chunks of 64 KiB. A chunk holds blocks of one size and knows which are free;
 * when all are, it can serve another size. A larger block is a run of chunks, first fit. Chunks are
 * kept until the executor goes; what matters is that memory given back serves whatever is asked for
 * next. */
#ifndef CFUTURES_ARENA_H
#define CFUTURES_ARENA_H

#include "platform/region.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CFI_CHUNK_BYTES = 64 << 10,
    CFI_CHUNKS_MAX = 1 << 22, /* 256 GiB: slots are named by 32 bits */
    CFI_BLOCK_SIZES = 19,     /* 64, 96, 128, 192, 256 ... 32 KiB: each at most a third waste */
    CFI_BLOCK_BYTES_MAX = 129 << 20 /* 64 MiB of argument, as much of result, and a little more */
};

typedef struct cfi_chunk {
    uint32_t next, previous; /* chunks of the same block size with free blocks; 0 ends the list */
    uint16_t blocks_used;    /* 0 = the chunk is free */
    uint16_t
        blocks_fresh;    /* of the last ones, never used since the chunk began to hold this size */
    uint16_t first_free; /* number + 1 of a block given back; each one's first two bytes hold the
                            next one's; 0 ends the list */
    uint16_t size;       /* index of the block size */
} cfi_chunk;

typedef struct cfi_arena {
    cfi_region region;
    cfi_chunk *chunks;                 /* of the whole region; private to this process */
    uint32_t fixed;                    /* chunks at the start that are not for blocks */
    uint32_t used;                     /* chunks given out so far, the fixed ones too */
    uint32_t committed;                /* chunks that may be touched */
    _Atomic uint64_t *told;            /* where workers read `committed`, in bytes */
    uint32_t limit;                    /* of `used` */
    uint32_t first_free;               /* no free chunk lies before it */
    uint32_t partial[CFI_BLOCK_SIZES]; /* lists of chunks with free blocks, by block size */
} cfi_arena;

/* fixed: bytes at the start of the region that are not blocks (a multiple of 64 KiB); they are open
 * to this process and its children. `told` is to be set before the first block is taken. */
bool cfi_arena_create(cfi_arena *arena, size_t fixed, size_t limit, bool shared);
void cfi_arena_destroy(cfi_arena *arena);

/* Gives memory to part of the fixed area. */
bool cfi_arena_commit_fixed(cfi_arena *arena, size_t offset, size_t length);

/* The offset of a block of at least `size` bytes, aligned to 32 bytes, and to 64 KiB from that size
 * on. Its content is undefined. 0 when there is no memory. */
uint64_t cfi_arena_take(cfi_arena *arena, size_t size);
/* The same, all zero. */
uint64_t cfi_arena_take_zeroed(cfi_arena *arena, size_t size);
void cfi_arena_give(cfi_arena *arena, uint64_t block, size_t size);

#endif
