/* Which addresses this process has reserved itself (platform/region.h).
 *
 * A forked child finds regions of its parent at their addresses. In shared memory it must not read
 * there to learn whose they are: the parent may have given the pages back. So each process keeps a
 * list of its own regions in private memory; what a child inherits of the list does not count. */
#ifndef PLATFORM_OWN_MEMORY_H
#define PLATFORM_OWN_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* All three may be called from any thread. add is false where there is no memory for the entry. */
bool cfi_own_memory_add(const void *base, size_t size);
void cfi_own_memory_remove(const void *base);
bool cfi_own_memory_has(const void *address);

#endif
