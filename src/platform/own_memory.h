/* Which addresses this process has reserved itself (platform/region.h).
 *
 * A forked child has its parent's regions at their addresses. It must not read shared memory there
 * to learn which process owns it: the parent may have given the pages back. So each process keeps a
 * list of its own regions in private memory; the entries that a child inherits do not count. */
#ifndef PLATFORM_OWN_MEMORY_H
#define PLATFORM_OWN_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* Any thread may call these. add: false if there is no memory for the entry. */
bool plat_own_memory_add(const void *base, size_t size);
void plat_own_memory_remove(const void *base);
bool plat_own_memory_has(const void *address);

/* Bytes that the regions of this process have in all. */
size_t plat_own_memory_total(void);

#endif
