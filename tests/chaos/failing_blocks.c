#include "failing_blocks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PLACES = 1 << 14, /* for blocks; a power of 2 */
    RANGES = 64
};

typedef struct kept {
    const void *block; /* NULL = never used; &removed */
    size_t size;
    uintptr_t code;
} kept;

static const char removed;
static kept table[PLACES];
static size_t used; /* places that are not NULL */

typedef struct range {
    uintptr_t begin, end;
} range;

static range ranges[RANGES]; /* none overlaps another */
static size_t range_count;

static atomic_flag locked = ATOMIC_FLAG_INIT;

static void lock(void) {
    while (atomic_flag_test_and_set_explicit(&locked, memory_order_acquire)) {}
}

static void unlock(void) {
    atomic_flag_clear_explicit(&locked, memory_order_release);
}

/* Nothing here may allocate. */
_Noreturn static void give_up(const char *why) {
    ssize_t written = write(STDERR_FILENO, why, strlen(why));
    (void)written;
    abort();
}

/* ---- blocks ---------------------------------------------------------------------------------- */

/* The block's place, or that of the first NULL on its way. */
static kept *place_of(const void *block) {
    size_t i = (size_t)((uintptr_t)block / 16 * 0x9e3779b97f4a7c15u >> 40);
    while (table[i % PLACES].block != block && table[i % PLACES].block != NULL) {
        i++;
    }
    return &table[i % PLACES];
}

void blocks_clear(void) {
    lock();
    if (used > 0) {
        memset(table, 0, sizeof table);
    }
    used = 0;
    range_count = 0;
    unlock();
}

void blocks_add(const void *block, size_t size, uintptr_t code) {
    lock();
    kept *at = place_of(block);
    used += at->block == NULL;
    if (used > PLACES / 2) {
        give_up("failing_blocks: too many blocks\n");
    }
    *at = (kept){.block = block, .size = size, .code = code};
    unlock();
}

void blocks_remove(const void *block) {
    if (block == NULL) {
        return;
    }
    lock();
    kept *at = place_of(block);
    if (at->block != NULL) {
        at->block = &removed;
    }
    unlock();
}

/* ---- mappings -------------------------------------------------------------------------------- */

static void remove_range(uintptr_t begin, uintptr_t end) {
    for (size_t i = range_count; i-- > 0;) {
        range r = ranges[i];
        if (r.end <= begin || end <= r.begin) {
            continue;
        }
        ranges[i] = ranges[--range_count];
        const range rest[] = {{r.begin, begin}, {end, r.end}};
        for (size_t j = 0; j < 2; j++) {
            if (rest[j].begin < rest[j].end) {
                if (range_count == RANGES) {
                    give_up("failing_blocks: too many mappings\n");
                }
                ranges[range_count++] = rest[j];
            }
        }
    }
}

void mappings_add(uintptr_t begin, size_t size) {
    lock();
    remove_range(begin, begin + size);
    if (range_count == RANGES) {
        give_up("failing_blocks: too many mappings\n");
    }
    ranges[range_count++] = (range){begin, begin + size};
    unlock();
}

void mappings_remove(uintptr_t begin, size_t size) {
    lock();
    remove_range(begin, begin + size);
    unlock();
}

/* ---- what stays ------------------------------------------------------------------------------ */

static failing_site *site_of(failing_leavings *leavings, uintptr_t code) {
    for (size_t i = 0; i < leavings->site_count; i++) {
        if (leavings->sites[i].code == code) {
            return &leavings->sites[i];
        }
    }
    if (leavings->site_count == FAILING_SITES) {
        give_up("failing_blocks: too many sites\n");
    }
    leavings->sites[leavings->site_count] = (failing_site){.code = code};
    return &leavings->sites[leavings->site_count++];
}

void blocks_read(failing_leavings *leavings) {
    *leavings = (failing_leavings){0};
    lock();
    for (size_t i = 0; used > 0 && i < PLACES; i++) {
        if (table[i].block != NULL && table[i].block != &removed) {
            failing_site *site = site_of(leavings, table[i].code);
            site->blocks++;
            site->bytes += table[i].size;
        }
    }
    for (size_t i = 0; i < range_count; i++) {
        leavings->mapped += ranges[i].end - ranges[i].begin;
    }
    unlock();
}

bool failing_leavings_check(const failing_leavings *now, const failing_leavings *usual, char *text,
                            size_t size) {
    extern const char __executable_start; /* of the linker: addr2line wants the distance from it */
    for (size_t i = 0; i < now->site_count; i++) {
        const failing_site *site = &now->sites[i];
        uint32_t expected = 0;
        for (size_t j = 0; j < usual->site_count; j++) {
            expected = usual->sites[j].code == site->code ? usual->sites[j].blocks : expected;
        }
        if (site->blocks > expected) {
            snprintf(text, size, "%" PRIu32 " blocks of malloc, %zu bytes, taken at %#" PRIxPTR,
                     site->blocks - expected, site->bytes,
                     site->code - (uintptr_t)&__executable_start);
            return false;
        }
    }
    if (now->mapped > usual->mapped) {
        snprintf(text, size, "%zu bytes of mappings", now->mapped - usual->mapped);
        return false;
    }
    return true;
}
