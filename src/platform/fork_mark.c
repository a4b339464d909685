#include "platform/fork_mark.h"

#include "platform/assert.h"
#include "platform/refusal.h"
#include "platform/thread.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

_Atomic(plat_mark_word *) plat_mark_page;

static _Atomic uint64_t last_mark; /* inherited, so that a child's mark differs from its parent's */

/* In a forked child. */
static void forget_mark(void) {
    plat_mark_word *word = plat_load_relaxed(&plat_mark_page);
    if (word != NULL) {
        plat_store_relaxed(word, 0);
    }
}

/* Two threads may both come here: to forget twice does no harm. */
static bool prepare_for_fork(void) {
    static _Atomic bool prepared;
    if (!plat_load_acquire(&prepared) && plat_at_fork_in_child(forget_mark)) {
        plat_store_release(&prepared, true);
    }
    return plat_load_acquire(&prepared);
}

static plat_mark_word *map_mark_page(void) {
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        plat_refusal_note("mmap", errno);
        return NULL;
    }
    plat_mark_word *expected = NULL;
    bool wiped = madvise(page, size, MADV_WIPEONFORK) == 0;
    bool noticed = prepare_for_fork() || wiped;
    if (!noticed) {
        plat_refusal_note_memory();
    }
    if (!noticed || !plat_cas(&plat_mark_page, &expected, page)) {
        munmap(page, size);
    }
    return plat_load_acquire(&plat_mark_page);
}

uint64_t plat_fork_mark(void) {
    plat_mark_word *word = plat_load_acquire(&plat_mark_page);
    if (word == NULL && (word = map_mark_page()) == NULL) {
        return 0;
    }
    uint64_t mark = plat_load_acquire(word);
    if (mark == 0) {
        uint64_t fresh = plat_add_relaxed(&last_mark, 1) + 1;
        if (plat_cas(word, &mark, fresh)) {
            mark = fresh;
        }
    }
    cfi_assert(mark >= PLAT_FIRST_MARK && mark <= plat_peek(&last_mark));
    return mark;
}
