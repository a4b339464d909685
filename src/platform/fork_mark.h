/* Says whether this process is still the one that made something.
 *
 * The mark lies on a page that fork wipes in the child, so asking costs one load. The kernel wipes
 * it (Linux 4.14; also after clone and vfork), and so does a fork handler: under an emulator or a
 * filter of system calls the advice may be refused, or accepted without effect. */
#ifndef PLATFORM_FORK_MARK_H
#define PLATFORM_FORK_MARK_H

#include "platform/atomic.h"

#include <stdbool.h>
#include <stdint.h>

typedef _Atomic uint64_t plat_mark_word;

#define PLAT_FIRST_MARK UINT64_C(1) /* a child's is greater than its parent's */

extern _Atomic(plat_mark_word *) plat_mark_page; /* mapped once, kept for the life of the process */

/* The mark of this process; a forked child gets another one. 0 if the system refuses the page: the
 * caller then fails, since 0 is valid in no process. */
uint64_t plat_fork_mark(void);

/* mark: from plat_fork_mark, here or in an ancestor, so the page is mapped. */
static inline bool plat_fork_mark_is_ours(uint64_t mark) {
    return plat_load_relaxed(plat_load_relaxed(&plat_mark_page)) == mark;
}

/* True: no ancestor of this process had a mark, so nothing that it holds was made before a fork. */
static inline bool plat_fork_mark_is_first(void) {
    return plat_fork_mark_is_ours(PLAT_FIRST_MARK);
}

#endif
