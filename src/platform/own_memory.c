#include "platform/own_memory.h"

#include "platform/assert.h"
#include "platform/atomic.h"
#include "platform/fork_mark.h"
#include "platform/lock.h"
#include "platform/refusal.h"
#include "platform/thread.h"

#include <stdlib.h>

/* Entries last as long as the process, and are used again. */
typedef struct range {
    uint64_t mark; /* of the process that reserved it; 0 or an ancestor's = free */
    uintptr_t base;
    size_t size;
    struct range *next;
} range;

static plat_lock list_lock = PLAT_LOCK_INITIALIZER;
static range *list; /* under list_lock */

/* In a forked child: a thread of the parent may have held the lock. */
static void free_lock(void) {
    plat_lock_init(&list_lock);
}

static bool prepare_for_fork(void) {
    static bool prepared; /* under list_lock */
    prepared = prepared || plat_at_fork_in_child(free_lock);
    return prepared;
}

static range *free_entry(uint64_t mark) {
    range *entry = list;
    while (entry != NULL && entry->mark == mark) {
        entry = entry->next;
    }
    if (entry == NULL && (entry = malloc(sizeof *entry)) != NULL) {
        entry->next = list;
        list = entry;
    }
    return entry;
}

/* Under the lock. NULL: not in memory of this process. (A forked child that has made nothing yet has
 * the mark 0, which is that of free entries.) */
static range *find(const void *address) {
    for (range *entry = list; entry != NULL; entry = entry->next) {
        if (entry->mark != 0 && plat_fork_mark_is_ours(entry->mark) &&
            (uintptr_t)address - entry->base < entry->size) {
            return entry;
        }
    }
    return NULL;
}

bool plat_own_memory_add(const void *base, size_t size) {
    const uint64_t mark = plat_fork_mark();
    if (mark == 0) {
        return false;
    }
    plat_lock_take(&list_lock);
    cfi_assert(find(base) == NULL); /* what was there is removed before it is unmapped */
    range *entry = plat_noted(prepare_for_fork() ? free_entry(mark) : NULL);
    if (entry != NULL) {
        entry->mark = mark;
        entry->base = (uintptr_t)base;
        entry->size = size;
    }
    plat_lock_give(&list_lock);
    return entry != NULL;
}

void plat_own_memory_remove(const void *base) {
    plat_lock_take(&list_lock);
    range *entry = find(base);
    if (entry != NULL) {
        entry->mark = 0;
    }
    plat_lock_give(&list_lock);
}

size_t plat_own_memory_total(void) {
    size_t total = 0;
    plat_lock_take(&list_lock);
    for (const range *entry = list; entry != NULL; entry = entry->next) {
        bool ours = entry->mark != 0 && plat_fork_mark_is_ours(entry->mark);
        total += ours ? entry->size : 0;
    }
    plat_lock_give(&list_lock);
    return total;
}

bool plat_own_memory_has(const void *address) {
    plat_lock_take(&list_lock);
    bool has = find(address) != NULL;
    plat_lock_give(&list_lock);
    return has;
}
