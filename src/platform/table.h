/* Memory for a large table of which little is used: zeroed, and the system gives a page at its first write.
 *
 * Not from calloc: when a program has freed such a block, glibc takes the next ones from the heap. Then calloc
 * clears all of it, and each fork of a worker copies its page tables: 10 ms a pool instead of 0.4 ms. */
#ifndef PLATFORM_TABLE_H
#define PLATFORM_TABLE_H

#include "platform/refusal.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>

/* NULL: the system refuses it, which is noted. */
static inline void *plat_table_take(size_t size) {
    void *table = mmap(NULL, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (table == MAP_FAILED) {
        plat_refusal_note("mmap", errno);
        return NULL;
    }
    return table;
}

static inline void plat_table_give(void *table, size_t size) {
    if (table != NULL) {
        munmap(table, size);
    }
}

#endif
