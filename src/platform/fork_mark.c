#include "platform/fork_mark.h"

#include "platform/atomic.h"

#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

typedef _Atomic uint64_t mark_word;

static _Atomic(mark_word *) mark_page; /* mapped once, kept for the life of the process */
static _Atomic uint64_t last_mark; /* inherited, so that a child's mark differs from its parent's */

static mark_word *map_mark_page(void) {
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        return NULL;
    }
    mark_word *expected = NULL;
    if (madvise(page, size, MADV_WIPEONFORK) != 0 || !cfi_cas(&mark_page, &expected, page)) {
        munmap(page, size);
    }
    return cfi_load_acquire(&mark_page);
}

uint64_t cfi_fork_mark(void) {
    mark_word *word = cfi_load_acquire(&mark_page);
    if (word == NULL && (word = map_mark_page()) == NULL) {
        return 0;
    }
    uint64_t mark = cfi_load_acquire(word);
    if (mark == 0) {
        uint64_t fresh = cfi_add_relaxed(&last_mark, 1) + 1;
        if (cfi_cas(word, &mark, fresh)) {
            mark = fresh;
        }
    }
    return mark;
}

bool cfi_fork_mark_is_ours(uint64_t mark) {
    mark_word *word = cfi_load_relaxed(&mark_page);
    return cfi_load_relaxed(word) == mark;
}
