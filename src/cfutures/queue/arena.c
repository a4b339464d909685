#include "cfutures/queue/arena.h"

#include "platform/assert.h"
#include "platform/atomic.h"
#include "platform/table.h"

#include <string.h>

#define SPAN      ((size_t)CFI_SPAN_BYTES)
#define HUGE      (PLAT_HUGE_PAGE / CFI_SPAN_BYTES)
#define SMALL_MAX (SPAN / 2)

/* ---- creation -------------------------------------------------------------------------------- */

bool cfi_arena_create(cfi_arena *arena, size_t fixed, size_t limit, bool shared) {
    memset(arena, 0, sizeof *arena);
    cfi_assert(fixed % SPAN == 0 && fixed / SPAN < CFI_SPANS_MAX);
    limit = limit / SPAN * SPAN;
    if (limit > (CFI_SPANS_MAX - 1) * SPAN - fixed) {
        limit = (CFI_SPANS_MAX - 1) * SPAN - fixed;
    }
    if (!plat_region_reserve(&arena->region, fixed + limit, fixed + SPAN, shared)) {
        return false;
    }
    arena->limit = (uint32_t)(arena->region.size / SPAN);
    cfi_assert(arena->limit > fixed / SPAN && arena->limit < CFI_SPANS_MAX);
    arena->fixed = arena->used = arena->committed = arena->first_free = (uint32_t)(fixed / SPAN);
    arena->spans = plat_table_take(arena->limit * sizeof *arena->spans);
    if (arena->spans == NULL || !plat_region_open(arena->region.base, 0, fixed)) {
        cfi_arena_destroy(arena);
        return false;
    }
    return true;
}

void cfi_arena_destroy(cfi_arena *arena) {
    plat_table_give(arena->spans, arena->limit * sizeof *arena->spans);
    plat_region_release(&arena->region);
}

bool cfi_arena_commit_fixed(cfi_arena *arena, size_t offset, size_t length) {
    cfi_assert(offset + length <= arena->fixed * SPAN); /* what follows is committed by spans */
    return plat_region_commit(&arena->region, offset, length);
}

/* ---- spans ---------------------------------------------------------------------------------- */

/* Spans that are committed at a time, or more if more are missing. */
static uint32_t growth_of(const cfi_arena *arena) {
    enum {
        LEAST = 4
    };
    uint32_t have = arena->committed - arena->fixed;
    return have >= HUGE ? HUGE : have / 4 > LEAST ? have / 4 : LEAST;
}

static bool commit_to(cfi_arena *arena, uint32_t end) {
    cfi_assert(end <= arena->limit && arena->used <= arena->committed);
    if (end <= arena->committed) {
        return true;
    }
    uint32_t missing = end - arena->committed, growth = growth_of(arena);
    growth = growth < missing ? missing : growth;
    if (growth >= HUGE) { /* up to the end of a huge page */
        growth += HUGE - 1 - (arena->committed + growth - 1) % HUGE;
    }
    if (growth > arena->limit - arena->committed) {
        growth = arena->limit - arena->committed;
    }
    if (!plat_region_commit(&arena->region, arena->committed * SPAN, growth * SPAN)) {
        growth = missing; /* there may be memory for these alone */
        if (!plat_region_commit(&arena->region, arena->committed * SPAN, growth * SPAN)) {
            return false;
        }
    }
    arena->committed += growth;
    cfi_assert(arena->committed >= end && arena->committed <= arena->limit);
    plat_store_release(arena->told, arena->committed * SPAN); /* before any slot there is opened */
    return true;
}

/* The first of `count` spans in a row that are free or were never used. */
static uint32_t find_run(const cfi_arena *arena, size_t count) {
    uint32_t start = arena->first_free;
    cfi_assert(start >= arena->fixed && start <= arena->used);
    for (uint32_t i = start; i < arena->used && i - start < count; i++) {
        if (arena->spans[i].blocks_used > 0) {
            start = i + 1;
        }
    }
    return start;
}

/* Marks every span of the run as used by one block. 0: no memory. */
static uint32_t take_run(cfi_arena *arena, size_t count) {
    uint32_t start = find_run(arena, count);
    if (count > arena->limit - start) {
        plat_refusal_note_limit();
        return 0;
    }
    if (!commit_to(arena, start + (uint32_t)count)) {
        return 0;
    }
    uint32_t end = start + (uint32_t)count;
    for (uint32_t i = start; i < end; i++) {
        cfi_assert(arena->spans[i].blocks_used == 0);
        arena->spans[i].blocks_used = 1;
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
        cfi_assert(arena->spans[start + i].blocks_used <= 1);
        arena->spans[start + i].blocks_used = 0;
    }
    if (start < arena->first_free) {
        arena->first_free = start;
    }
}

/* ---- blocks within a span ------------------------------------------------------------------- */

static size_t block_bytes(unsigned size) {
    return (size_t)(size % 2 == 0 ? 64 : 96) << size / 2;
}

static unsigned block_size_for(size_t bytes) {
    unsigned size = 0;
    while (block_bytes(size) < bytes) {
        size++;
    }
    cfi_assert(size < CFI_BLOCK_SIZES);
    return size;
}

static void link_partial(cfi_arena *arena, uint32_t number) {
    cfi_span *span = &arena->spans[number];
    cfi_assert(arena->partial[span->size] != number);
    span->previous = 0;
    span->next = arena->partial[span->size];
    if (span->next != 0) {
        cfi_assert(arena->spans[span->next].previous == 0);
        arena->spans[span->next].previous = number;
    }
    arena->partial[span->size] = number;
}

static void unlink_partial(cfi_arena *arena, uint32_t number) {
    cfi_span *span = &arena->spans[number];
    cfi_assert((span->previous != 0 ? arena->spans[span->previous].next
                                    : arena->partial[span->size]) == number);
    if (span->next != 0) {
        cfi_assert(arena->spans[span->next].previous == number);
        arena->spans[span->next].previous = span->previous;
    }
    if (span->previous != 0) {
        arena->spans[span->previous].next = span->next;
    } else {
        arena->partial[span->size] = span->next;
    }
}

static bool is_full(const cfi_span *span) {
    return span->blocks_fresh == 0 && span->first_free == 0;
}

static bool begin_span(cfi_arena *arena, unsigned size) {
    cfi_assert(arena->partial[size] == 0); /* spans with free blocks are used up first */
    uint32_t number = take_run(arena, 1);
    if (number == 0) {
        return false;
    }
    arena->spans[number] = (cfi_span){
        .blocks_fresh = (uint16_t)(SPAN / block_bytes(size)),
        .size = (uint16_t)size,
    };
    link_partial(arena, number);
    return true;
}

static char *block_at(const cfi_arena *arena, uint32_t number, uint32_t block) {
    return arena->region.base + number * SPAN + block * block_bytes(arena->spans[number].size);
}

static uint32_t take_block(cfi_arena *arena, uint32_t number) {
    cfi_span *span = &arena->spans[number];
    uint32_t block;
    cfi_assert(!is_full(span));
    span->blocks_used++;
    if (span->first_free != 0) {
        block = span->first_free - 1u;
        memcpy(&span->first_free, block_at(arena, number, block), sizeof span->first_free);
        if (span->first_free > SPAN / block_bytes(span->size)) {
            span->first_free =
                0; /* a task has overwritten the link: leave the other blocks unused */
        }
    } else {
        block = (uint32_t)(SPAN / block_bytes(span->size)) - span->blocks_fresh--;
    }
    cfi_assert(block < SPAN / block_bytes(span->size) - span->blocks_fresh);
    if (is_full(span)) {
        unlink_partial(arena, number);
    }
    return block;
}

static void give_block(cfi_arena *arena, uint32_t number, uint32_t block) {
    cfi_span *span = &arena->spans[number];
    cfi_assert(number >= arena->fixed && number < arena->used);
    cfi_assert(span->blocks_used > 0);
    cfi_assert(block < SPAN / block_bytes(span->size) - span->blocks_fresh); /* it was taken */
    cfi_assert(span->first_free != block + 1);                               /* and not given yet */
    if (is_full(span)) {
        link_partial(arena, number);
    }
    memcpy(block_at(arena, number, block), &span->first_free, sizeof span->first_free);
    span->first_free = (uint16_t)(block + 1);
    span->blocks_used--;
    if (span->blocks_used == 0) {
        unlink_partial(arena, number);
        give_run(arena, number, 1);
    }
}

/* ---- blocks of any size ---------------------------------------------------------------------- */

static size_t spans_for(size_t size) {
    return (size + SPAN - 1) / SPAN;
}

uint64_t cfi_arena_take(cfi_arena *arena, size_t size) {
    if (size > CFI_BLOCK_BYTES_MAX) {
        plat_refusal_note_limit();
        return 0;
    }
    if (size > SMALL_MAX) {
        return take_run(arena, spans_for(size)) * SPAN;
    }
    unsigned class = block_size_for(size);
    if (arena->partial[class] == 0 && !begin_span(arena, class)) {
        return 0;
    }
    uint32_t number = arena->partial[class];
    cfi_assert(number >= arena->fixed && number < arena->used);
    return number * SPAN + take_block(arena, number) * block_bytes(class);
}

/* The system has zeroed spans that were never used. */
uint64_t cfi_arena_take_zeroed(cfi_arena *arena, size_t size) {
    uint32_t used = arena->used;
    uint64_t block = cfi_arena_take(arena, size);
    if (block != 0 && block / SPAN < used) {
        memset(arena->region.base + block, 0, size);
    }
    return block;
}

void cfi_arena_give(cfi_arena *arena, uint64_t block, size_t size) {
    uint32_t number = (uint32_t)(block / SPAN);
    cfi_assert(block != 0 && block % 32 == 0 && size <= CFI_BLOCK_BYTES_MAX);
    cfi_assert(size > SMALL_MAX || arena->spans[number].size == block_size_for(size));
    if (size > SMALL_MAX) {
        give_run(arena, number, spans_for(size));
    } else {
        give_block(arena, number, (uint32_t)(block % SPAN / block_bytes(block_size_for(size))));
    }
}
