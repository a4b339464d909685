#include "cfutures/arena.h"

#include <string.h>

#define CHUNK ((size_t)1 << CFI_BLOCK_CHUNK_LOG2)
#define GROWTH_LEAST                                                                               \
    ((size_t)256 << 10)                /* bytes committed at a time: a quarter of what there is, */
#define GROWTH_MOST ((size_t)16 << 20) /* within these bounds */

static unsigned size_class(size_t size) {
    unsigned log2 = CFI_BLOCK_MIN_LOG2;
    while (((size_t)1 << log2) < size) {
        log2++;
    }
    return log2;
}

bool cfi_arena_create(cfi_arena *arena, size_t fixed, size_t limit, bool shared) {
    memset(arena, 0, sizeof *arena);
    limit = limit / CHUNK * CHUNK;
    if (limit > SIZE_MAX / 2 - fixed ||
        !cfi_region_reserve(&arena->region, fixed + limit, fixed + CHUNK, shared)) {
        return false;
    }
    arena->used = fixed;
    arena->committed = fixed;
    arena->limit = arena->region.size;
    return true;
}

void cfi_arena_destroy(cfi_arena *arena) {
    cfi_region_release(&arena->region);
}

bool cfi_arena_commit_fixed(cfi_arena *arena, size_t offset, size_t length) {
    return cfi_region_commit(&arena->region, offset, length);
}

static size_t growth_for(const cfi_arena *arena, size_t missing) {
    size_t growth = arena->committed / 4;
    growth = growth < GROWTH_LEAST ? GROWTH_LEAST : growth > GROWTH_MOST ? GROWTH_MOST : growth;
    if (growth > arena->limit - arena->committed) {
        growth = arena->limit - arena->committed;
    }
    return growth < missing ? missing : growth;
}

/* The next `size` bytes that were never given out; a multiple of CHUNK. */
static uint64_t take_fresh(cfi_arena *arena, size_t size) {
    if (size > arena->limit - arena->used) {
        return 0;
    }
    size_t end = arena->used + size;
    if (end > arena->committed) {
        size_t missing = end - arena->committed;
        size_t growth = growth_for(arena, missing);
        if (!cfi_region_commit(&arena->region, arena->committed, growth)) {
            growth = missing; /* perhaps just enough is left */
            if (!cfi_region_commit(&arena->region, arena->committed, growth)) {
                return 0;
            }
        }
        arena->committed += growth;
    }
    arena->used = end;
    return end - size;
}

static void push_free(cfi_arena *arena, unsigned class, uint64_t block) {
    memcpy(arena->region.base + block, &arena->free_block[class], sizeof block);
    arena->free_block[class] = block;
}

static uint64_t pop_free(cfi_arena *arena, unsigned class) {
    uint64_t block = arena->free_block[class];
    memcpy(&arena->free_block[class], arena->region.base + block, sizeof block);
    return block;
}

/* Cuts a fresh chunk into blocks of this class, the lowest address to be taken first. */
static bool refill(cfi_arena *arena, unsigned class) {
    uint64_t chunk = cfi_arena_take(arena, CHUNK);
    if (chunk == 0) {
        return false;
    }
    size_t step = (size_t)1 << class;
    for (size_t offset = CHUNK; offset > 0; offset -= step) {
        push_free(arena, class, chunk + offset - step);
    }
    return true;
}

uint64_t cfi_arena_take(cfi_arena *arena, size_t size) {
    if (size > (size_t)1 << CFI_BLOCK_MAX_LOG2) {
        return 0;
    }
    unsigned class = size_class(size);
    if (arena->free_block[class] == 0) {
        if (class >= CFI_BLOCK_CHUNK_LOG2) {
            return take_fresh(arena, (size_t)1 << class);
        }
        if (!refill(arena, class)) {
            return 0;
        }
    }
    return pop_free(arena, class);
}

void cfi_arena_give(cfi_arena *arena, uint64_t block, size_t size) {
    push_free(arena, size_class(size), block);
}
