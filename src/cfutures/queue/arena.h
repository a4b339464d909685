/* The memory of one executor: control words, worker records and tables at fixed places, then
 * blocks.
 *
 *   - Workers see one region and nothing else. It lies at the same address in every process; a
 *     block is named by its offset in it.
 *   - Only the caller's process takes blocks and gives them back, under the executor's lock. So no
 *     worker can die while it changes the lists.
 *   - Blocks of up to 32 KiB lie in spans of 64 KiB. A span holds blocks of one size and knows
 *     which are free. A larger block is a run of spans, first fit.
 *   - A span whose blocks are all free can hold another size. So memory given back serves any
 *     size, and a pool at its limit is not tied to the sizes that it was first used for.
 *   - Spans stay committed until the executor is freed. */
#ifndef CFUTURES_ARENA_H
#define CFUTURES_ARENA_H

#include "platform/region.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CFI_SPAN_BYTES = 64 << 10,
    CFI_SPANS_MAX = 1 << 22,        /* 256 GiB: slots are named by 32 bits */
    CFI_BLOCK_SIZES = 19,           /* 64, 96, 128, 192, 256 ... 32 KiB: a third waste at most */
    CFI_BLOCK_BYTES_MAX = 129 << 20 /* 64 MiB of argument, as much of result, and some more */
};

typedef struct cfi_span {
    uint32_t next, previous; /* spans of this block size with free blocks; 0 = none */
    uint16_t blocks_used;    /* 0 = the span is free */
    uint16_t blocks_fresh;   /* the last ones: not used since the span got its block size */
    uint16_t first_free;     /* number + 1 of a block given back, 0 = none; the first two bytes of
                                such a block hold the next one's */
    uint16_t size;           /* index of the block size */
} cfi_span;

typedef struct cfi_arena {
    plat_region region;
    cfi_span *spans;                   /* of the whole region; private to this process */
    uint32_t fixed;                    /* spans at the start that hold no blocks */
    uint32_t used;                     /* spans given out so far, with the fixed ones */
    uint32_t committed;                /* spans that may be touched */
    _Atomic uint64_t *told;            /* where workers read `committed`, in bytes */
    uint32_t limit;                    /* the most that `used` may become */
    uint32_t first_free;               /* no free span lies before it */
    uint32_t partial[CFI_BLOCK_SIZES]; /* by block size: list of spans with free blocks */
} cfi_arena;

/* fixed: bytes at the start of the region that hold no blocks, a multiple of 64 KiB. This process
 * and its children may access them; cfi_arena_commit_fixed gives them memory. `told` must be set
 * before the first block is taken. */
bool cfi_arena_create(cfi_arena *arena, size_t fixed, size_t limit, bool shared);
void cfi_arena_destroy(cfi_arena *arena);

/* Gives memory to part of the fixed area. */
bool cfi_arena_commit_fixed(cfi_arena *arena, size_t offset, size_t length);

/* The offset of a block of at least `size` bytes. It is aligned to 32 bytes; if it is larger than
 * 32 KiB, to 64 KiB. Its content is undefined. 0: no memory. */
uint64_t cfi_arena_take(cfi_arena *arena, size_t size);
/* The same, zeroed. */
uint64_t cfi_arena_take_zeroed(cfi_arena *arena, size_t size);
void cfi_arena_give(cfi_arena *arena, uint64_t block, size_t size);

#endif
