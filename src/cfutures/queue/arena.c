#include "cfutures/queue/arena.h"

#include "platform/assert.h"
#include "platform/atomic.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK        ((size_t)CFI_CHUNK_BYTES)
#define COMMIT_LEAST 4u   /* chunks committed at a time: a quarter of those there are, */
#define COMMIT_MOST  256u /* within these limits */
#define HUGE         (CFI_HUGE_PAGE / CFI_CHUNK_BYTES)
#define SMALL_MOST   (CHUNK / 2)

/* ---- creation -------------------------------------------------------------------------------- */

bool cfi_arena_create(cfi_arena *arena, size_t fixed, size_t limit, bool shared) {
    memset(arena, 0, sizeof *arena);
    limit = limit / CHUNK * CHUNK;
    if (limit > (CFI_CHUNKS_MAX - 1) * CHUNK - fixed) {
        limit = (CFI_CHUNKS_MAX - 1) * CHUNK - fixed;
    }
    if (!cfi_region_reserve(&arena->region, fixed + limit, fixed + CHUNK, shared)) {
        return false;
    }
    arena->limit = (uint32_t)(arena->region.size / CHUNK);
    arena->fixed = arena->used = arena->committed = arena->first_free = (uint32_t)(fixed / CHUNK);
    arena->chunks =
        calloc(arena->limit, sizeof *arena->chunks); /* takes memory as chunks are used */
    if (arena->chunks == NULL || !cfi_region_open(arena->region.base, 0, fixed)) {
        cfi_arena_destroy(arena);
        return false;
    }
    return true;
}

void cfi_arena_destroy(cfi_arena *arena) {
    free(arena->chunks);
    cfi_region_release(&arena->region);
}

bool cfi_arena_commit_fixed(cfi_arena *arena, size_t offset, size_t length) {
    return cfi_region_commit(&arena->region, offset, length);
}

/* ---- chunks ---------------------------------------------------------------------------------- */

static bool commit_to(cfi_arena *arena, uint32_t end) {
    if (end <= arena->committed) {
        return true;
    }
    uint32_t missing = end - arena->committed;
    uint32_t growth = (arena->committed - arena->fixed) / 4;
    growth = growth < COMMIT_LEAST ? COMMIT_LEAST : growth > COMMIT_MOST ? COMMIT_MOST : growth;
    growth = growth < missing ? missing : growth;
    if (growth >= HUGE) { /* up to the end of a huge page */
        growth += HUGE - 1 - (arena->committed + growth - 1) % HUGE;
    }
    if (growth > arena->limit - arena->committed) {
        growth = arena->limit - arena->committed;
    }
    if (!cfi_region_commit(&arena->region, arena->committed * CHUNK, growth * CHUNK)) {
        growth = missing; /* there may be memory for these alone */
        if (!cfi_region_commit(&arena->region, arena->committed * CHUNK, growth * CHUNK)) {
            return false;
        }
    }
    arena->committed += growth;
    cfi_store_release(arena->told, arena->committed * CHUNK); /* before any slot there is opened */
    return true;
}

/* The first of `count` chunks in a row that are free or were never used. */
static uint32_t find_run(const cfi_arena *arena, size_t count) {
    uint32_t start = arena->first_free;
    for (uint32_t i = start; i < arena->used && i - start < count; i++) {
        if (arena->chunks[i].blocks_used > 0) {
            start = i + 1;
        }
    }
    return start;
}

/* Marks every chunk of the run as used by one block. 0: no memory. */
static uint32_t take_run(cfi_arena *arena, size_t count) {
    uint32_t start = find_run(arena, count);
    if (count > arena->limit - start || !commit_to(arena, start + (uint32_t)count)) {
        return 0;
    }
    uint32_t end = start + (uint32_t)count;
    for (uint32_t i = start; i < end; i++) {
        arena->chunks[i].blocks_used = 1;
    }
    if (end > arena->used) {
        arena->used = end;
    }
    if (start == arena->first_free) {
        arena->first_free = end;
    }
    return start;
}

static void give_run(cfi_arena *arena, uint32_t start, size_t count) {
    cfi_assert(start >= arena->fixed && start + count <= arena->used);
    for (size_t i = 0; i < count; i++) {
        cfi_assert(arena->chunks[start + i].blocks_used <= 1);
        arena->chunks[start + i].blocks_used = 0;
    }
    if (start < arena->first_free) {
        arena->first_free = start;
    }
}

/* ---- blocks within a chunk ------------------------------------------------------------------- */

static size_t block_bytes(unsigned size) {
    return (size_t)(size % 2 == 0 ? 64 : 96) << size / 2;
}

static unsigned block_size_for(size_t bytes) {
    unsigned size = 0;
    while (block_bytes(size) < bytes) {
        size++;
    }
    return size;
}

static void link_partial(cfi_arena *arena, uint32_t number) {
    cfi_chunk *chunk = &arena->chunks[number];
    chunk->previous = 0;
    chunk->next = arena->partial[chunk->size];
    if (chunk->next != 0) {
        arena->chunks[chunk->next].previous = number;
    }
    arena->partial[chunk->size] = number;
}

static void unlink_partial(cfi_arena *arena, uint32_t number) {
    cfi_chunk *chunk = &arena->chunks[number];
    if (chunk->next != 0) {
        arena->chunks[chunk->next].previous = chunk->previous;
    }
    if (chunk->previous != 0) {
        arena->chunks[chunk->previous].next = chunk->next;
    } else {
        arena->partial[chunk->size] = chunk->next;
    }
}

static bool is_full(const cfi_chunk *chunk) {
    return chunk->blocks_fresh == 0 && chunk->first_free == 0;
}

static bool begin_chunk(cfi_arena *arena, unsigned size) {
    uint32_t number = take_run(arena, 1);
    if (number == 0) {
        return false;
    }
    arena->chunks[number] = (cfi_chunk){
        .blocks_fresh = (uint16_t)(CHUNK / block_bytes(size)),
        .size = (uint16_t)size,
    };
    link_partial(arena, number);
    return true;
}

static char *block_at(const cfi_arena *arena, uint32_t number, uint32_t block) {
    return arena->region.base + number * CHUNK + block * block_bytes(arena->chunks[number].size);
}

static uint32_t take_block(cfi_arena *arena, uint32_t number) {
    cfi_chunk *chunk = &arena->chunks[number];
    uint32_t block;
    chunk->blocks_used++;
    if (chunk->first_free != 0) {
        block = chunk->first_free - 1u;
        memcpy(&chunk->first_free, block_at(arena, number, block), sizeof chunk->first_free);
        if (chunk->first_free > CHUNK / block_bytes(chunk->size)) {
            chunk->first_free =
                0; /* a task has overwritten the link: leave the other blocks unused */
        }
    } else {
        block = (uint32_t)(CHUNK / block_bytes(chunk->size)) - chunk->blocks_fresh--;
    }
    if (is_full(chunk)) {
        unlink_partial(arena, number);
    }
    return block;
}

static void give_block(cfi_arena *arena, uint32_t number, uint32_t block) {
    cfi_chunk *chunk = &arena->chunks[number];
    cfi_assert(number >= arena->fixed && number < arena->used);
    cfi_assert(chunk->blocks_used > 0 && block < CHUNK / block_bytes(chunk->size));
    if (is_full(chunk)) {
        link_partial(arena, number);
    }
    memcpy(block_at(arena, number, block), &chunk->first_free, sizeof chunk->first_free);
    chunk->first_free = (uint16_t)(block + 1);
    chunk->blocks_used--;
    if (chunk->blocks_used == 0) {
        unlink_partial(arena, number);
        give_run(arena, number, 1);
    }
}

/* ---- blocks of any size ---------------------------------------------------------------------- */

static size_t chunks_for(size_t size) {
    return (size + CHUNK - 1) / CHUNK;
}

uint64_t cfi_arena_take(cfi_arena *arena, size_t size) {
    if (size > CFI_BLOCK_BYTES_MAX) {
        return 0;
    }
    if (size > SMALL_MOST) {
        return take_run(arena, chunks_for(size)) * CHUNK;
    }
    unsigned class = block_size_for(size);
    if (arena->partial[class] == 0 && !begin_chunk(arena, class)) {
        return 0;
    }
    uint32_t number = arena->partial[class];
    return number * CHUNK + take_block(arena, number) * block_bytes(class);
}

/* The system has zeroed chunks that were never used. */
uint64_t cfi_arena_take_zeroed(cfi_arena *arena, size_t size) {
    uint32_t used = arena->used;
    uint64_t block = cfi_arena_take(arena, size);
    if (block != 0 && block / CHUNK < used) {
        memset(arena->region.base + block, 0, size);
    }
    return block;
}

void cfi_arena_give(cfi_arena *arena, uint64_t block, size_t size) {
    uint32_t number = (uint32_t)(block / CHUNK);
    cfi_assert(block != 0 && block % 32 == 0 && size <= CFI_BLOCK_BYTES_MAX);
    cfi_assert(size > SMALL_MOST || arena->chunks[number].size == block_size_for(size));
    if (size > SMALL_MOST) {
        give_run(arena, number, chunks_for(size));
    } else {
        give_block(arena, number, (uint32_t)(block % CHUNK / block_bytes(block_size_for(size))));
    }
}
