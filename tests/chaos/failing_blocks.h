/* What the library has allocated and mapped, and not given back. For failing.c. Any thread of one process
 * may call these; a process that was forked must not. */
#ifndef TESTS_CHAOS_FAILING_BLOCKS_H
#define TESTS_CHAOS_FAILING_BLOCKS_H

#include "failing.h"

void blocks_clear(void);
void blocks_add(const void *block, size_t size, uintptr_t code);
void blocks_remove(const void *block); /* if it is known */

void mappings_add(uintptr_t begin, size_t size); /* what was mapped there before counts once */
void mappings_remove(uintptr_t begin, size_t size);

void blocks_read(failing_leavings *leavings);

#endif
