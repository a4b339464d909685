/* Tables lie in the simulated heap. */
#ifndef PLATFORM_TABLE_H
#define PLATFORM_TABLE_H

#include "platform/refusal.h"

#include <stdlib.h>

static inline void *plat_table_take(size_t size) {
    return plat_noted(calloc(1, size));
}

static inline void plat_table_give(void *table, size_t size) {
    (void)size;
    free(table);
}

#endif
