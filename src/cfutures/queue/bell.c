#include "cfutures/queue/bell.h"

#include "platform/assert.h"
#include "platform/atomic.h"
#include "platform/fork_mark.h"
#include "platform/region.h"

static _Atomic(cfi_bell *) process_bell;

static bool is_ours(const cfi_bell *bell) {
    return bell != NULL && plat_fork_mark_is_ours(bell->fork_mark);
}

cfi_bell *cfi_bell_of_process(void) {
    cfi_bell *known = plat_load_acquire(&process_bell);
    if (is_ours(known)) {
        return known;
    }
    plat_region page;
    uint64_t mark = plat_fork_mark();
    if (mark == 0 || !plat_region_share_page(&page)) {
        return NULL;
    }
    cfi_bell *made = (cfi_bell *)(void *)page.base;
    made->fork_mark = mark;
    if (!plat_cas(&process_bell, &known, made)) {
        plat_region_release(&page); /* another thread was first, with `known` */
        cfi_assert(is_ours(known));
        return known;
    }
    return made;
}
