/* Blocks of all sizes: none overlaps another, and memory given back serves whatever is asked for
 * next. */
#include "../check.h"

#include "cfutures/queue/arena.h"

#include "platform/line.h"

#include <stdlib.h>
#include <string.h>

TestSuite(arena, .timeout = TEST_SECONDS);

enum {
    FIXED = 64 << 10,
    LIMIT = 8 << 20
};

static _Atomic uint64_t told;

static cfi_arena make(size_t limit, bool shared) {
    cfi_arena arena;
    cr_assert(cfi_arena_create(&arena, FIXED, limit, shared));
    arena.told = &told;
    return arena;
}

/* Takes blocks of one size until there is no memory; gives them all back. */
static size_t fill_and_empty(cfi_arena *arena, size_t size) {
    static uint64_t blocks[LIMIT / 32];
    size_t count = 0;
    while ((blocks[count] = cfi_arena_take(arena, size)) != 0) {
        count++;
    }
    for (size_t i = 0; i < count; i++) {
        cfi_arena_give(arena, blocks[(i * 7919) % count],
                       size); /* in another order; 7919 is prime */
    }
    return count;
}

/* Of two such blocks, each in use by another worker, no cache line has bytes of both, nor has a pair of lines
 * (platform/line.h). */
Test(arena, blocks_of_a_pair_of_lines_share_none) {
    cfi_arena arena = make(LIMIT, false);
    for (size_t size = 97; size <= PLAT_LINE_PAIR; size++) {
        for (int i = 0; i < 3; i++) {
            uint64_t block = cfi_arena_take(&arena, size);
            cr_assert(block != 0 && block % PLAT_LINE_PAIR == 0);
            cr_assert((uintptr_t)arena.region.base % PLAT_LINE_PAIR == 0);
        }
    }
    cfi_arena_destroy(&arena);
}

Test(arena, what_one_size_gave_back_another_can_have) {
    static const size_t sizes[] = {64, 4096, 100, 120000, 8192, 1 << 20, 65, 32768, 3 << 20, 1};
    cfi_arena arena = make(LIMIT, false);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            size_t count = fill_and_empty(&arena, sizes[i]);
            size_t least = LIMIT / sizes[i] * 6 / 10; /* a third is waste, and the odd end */
            cr_assert(sizes[i] < 64 || count >= least, "only %zu blocks of %zu", count, sizes[i]);
            cr_assert(count > 0);
        }
    }
    cfi_arena_destroy(&arena);
}

typedef struct block {
    uint64_t at; /* 0: none */
    size_t size;
    unsigned char pattern;
} block;

static void take(cfi_arena *arena, block *b, uint64_t *seed) {
    size_t log2 = random_next(seed) % 19;
    b->size = 1 + random_next(seed) % ((size_t)1 << log2);
    b->pattern = (unsigned char)random_next(seed);
    b->at = cfi_arena_take(arena, b->size);
    if (b->at != 0) {
        cr_assert(b->at >= FIXED && b->at + b->size <= arena->region.size);
        cr_assert(b->at % (b->size > 32768 ? 65536 : 32) == 0);
        memset(arena->region.base + b->at, b->pattern, b->size);
    }
}

static void check_and_give(cfi_arena *arena, block *b) {
    const unsigned char *bytes = (unsigned char *)arena->region.base + b->at;
    for (size_t i = 0; i < b->size; i++) {
        cr_assert(bytes[i] == b->pattern, "a block of %zu bytes was written to at %zu", b->size, i);
    }
    cfi_arena_give(arena, b->at, b->size);
    b->at = 0;
}

static void play(bool shared) {
    enum {
        BLOCKS = 1500 /* twice what the limit holds of them */
    };
    static block blocks[BLOCKS];
    uint64_t seed = test_seed("arena");
    cfi_arena arena = make(LIMIT, shared);
    size_t refused = 0;
    for (size_t i = 0; i < scaled(50000); i++) {
        block *b = &blocks[random_next(&seed) % BLOCKS];
        if (b->at == 0) {
            take(&arena, b, &seed);
            refused += b->at == 0;
        } else {
            check_and_give(&arena, b);
        }
    }
    cr_assert(refused > 0, "the limit was never met");
    for (size_t i = 0; i < BLOCKS; i++) {
        if (blocks[i].at != 0) {
            check_and_give(&arena, &blocks[i]);
        }
    }
    uint64_t whole = cfi_arena_take(&arena, LIMIT);
    cr_assert(whole != 0, "what was given back does not join");
    cfi_arena_destroy(&arena);
}

Test(arena, no_block_overlaps_another_in_private_memory) {
    play(false);
}

Test(arena, no_block_overlaps_another_in_shared_memory) {
    play(true);
}

Test(arena, refuses_what_is_too_large) {
    cfi_arena arena = make(LIMIT, false);
    EXPECT_EQ(cfi_arena_take(&arena, LIMIT + 1), 0);
    EXPECT_EQ(cfi_arena_take(&arena, (size_t)CFI_BLOCK_BYTES_MAX + 1), 0);
    cr_assert(cfi_arena_take(&arena, LIMIT) != 0);
    EXPECT_EQ(cfi_arena_take(&arena, 1), 0);
    cfi_arena_destroy(&arena);
}
