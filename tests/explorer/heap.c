/* Memory of a run: it lies at the same addresses in each, so that places can be told from each
 * other over all runs, and is forgotten with the run. */
#include "engine.h"

#include "platform/openmp_runtime.h"
#include "platform/own_memory.h"
#include "platform/region.h"

#include <string.h>

/* ---- the heap -------------------------------------------------------------------------------- */

enum {
    HEAP_BYTES = 1 << 20,
    FREED = 0xdd
};

typedef struct piece {
    _Alignas(64) size_t size;
} piece;

static _Alignas(64) char heap[HEAP_BYTES];
static size_t heap_used;
static unsigned refused; /* the realloc that finds no memory, from now on; 0 = none */

void *sim_malloc(size_t size) {
    size_t whole = (sizeof(piece) + size + 63) / 64 * 64;
    if (whole > HEAP_BYTES - heap_used) {
        run_fail("the run takes too much memory");
    }
    piece *p = (piece *)(void *)(heap + heap_used);
    heap_used += whole;
    memset(p, 0, whole);
    p->size = size;
    return p + 1;
}

void *sim_calloc(size_t count, size_t size) {
    return sim_malloc(count * size);
}

void sim_refuse_realloc(unsigned which) {
    refused = which;
}

void *sim_realloc(void *memory, size_t size) {
    if (refused > 0 && --refused == 0) {
        return NULL;
    }
    void *larger = sim_malloc(size);
    if (memory != NULL) {
        const piece *p = (const piece *)memory - 1;
        memcpy(larger, memory, p->size < size ? p->size : size);
        sim_free(memory);
    }
    return larger;
}

void sim_free(void *memory) {
    if (memory != NULL) {
        memset(memory, FREED, ((const piece *)memory - 1)->size);
    }
}

char *sim_strdup(const char *text) {
    size_t size = strlen(text) + 1;
    return memcpy(sim_malloc(size), text, size);
}

/* ---- regions --------------------------------------------------------------------------------- */

enum {
    REGIONS_BYTES = 16 << 20
};

static _Alignas(PLAT_REGION_ALIGNMENT) char regions[REGIONS_BYTES];
static size_t regions_used;

static char *take_region(size_t size) {
    char *base = regions + regions_used;
    regions_used +=
        (size + PLAT_REGION_ALIGNMENT - 1) / PLAT_REGION_ALIGNMENT * PLAT_REGION_ALIGNMENT;
    if (regions_used > REGIONS_BYTES) {
        run_fail("the run takes too much memory");
    }
    return base;
}

bool plat_region_reserve(plat_region *region, size_t size, size_t least, bool shared) {
    (void)least;
    (void)shared;
    *region = (plat_region){.base = take_region(size), .size = size, .file = -1};
    return true;
}

size_t plat_own_memory_total(void) {
    return 0;
}

/* Cleared as far as a run uses it: the beginning of each of the arena's chunks, where slabs lie, and of
 * what the arena commits in its fixed part. */
bool plat_region_commit(plat_region *region, size_t offset, size_t length) {
    enum {
        CHUNK = 64 << 10,
        USED = 8 << 10
    };
    for (size_t at = 0; at < length; at += CHUNK) {
        memset(region->base + offset + at, 0, length - at < USED ? length - at : USED);
    }
    return true;
}

bool plat_region_share_page(plat_region *region) {
    *region = (plat_region){.base = take_region(4096), .size = 4096, .file = -1};
    memset(region->base, 0, 4096);
    return true;
}

bool plat_region_open(char *base, size_t offset, size_t length) {
    (void)base;
    (void)offset;
    (void)length;
    return true;
}

void plat_region_map(char *base, size_t offset, size_t length) {
    (void)base;
    (void)offset;
    (void)length;
}

void plat_region_release(plat_region *region) {
    (void)region;
}

/* ---- and no OpenMP in it --------------------------------------------------------------------- */

plat_openmp_set_threads *plat_openmp_find_set_threads(void) {
    return NULL;
}

/* ---- a process for each run ------------------------------------------------------------------ */

static void (*begin_process)(void);

void sim_begins_process(void (*run)(void)) {
    begin_process = run;
}

/* As in a forked child the core begins with what it keeps for a process; the first page was that of
 * the bell, which is so seen to be another process's. */
void heap_begin_run(void) {
    memset(regions, 0, 4096);
    if (begin_process != NULL) {
        begin_process();
    }
    heap_used = 0;
    refused = 0;
    regions_used = 0;
}
