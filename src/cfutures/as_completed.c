/* Futures in the order in which they are done.
 *
 *   - Only futures that are not done yet are watched (waiting/watch.h).
 *   - All must stay valid until the iteration ends. So their slab is pinned, once for each row of
 *     futures in it. The iteration takes no reference to a future, so most cost it one look.
 *   - A future whose payload lies in a block is held by a reference besides, because its block is
 *     freed after the last reference is released. */
#include "cfutures/core/reference.h"
#include "cfutures/waiting/await.h"

#include "platform/assert.h"
#include "platform/clock.h"
#include "platform/fork_mark.h"
#include "platform/refusal.h"

#include <stdlib.h>

/* A future's address, with the tags below in its low bits. */
typedef uintptr_t entry;

enum {
    DONE = 1,      /* settled when the iteration began */
    HELD = 2,      /* the iteration has a reference */
    DUPLICATE = 4, /* of an earlier entry */
    TAGS = DONE | HELD | DUPLICATE
};

struct cf_as_completed {
    uint64_t fork_mark;
    cfi_watch_set set;
    size_t count;       /* entries */
    size_t done_next;   /* entry: the DONE ones before it have been handed out */
    size_t done_left;   /* DONE entries that have not been handed out */
    cfi_watch *watches; /* one for each entry that was not done */
    size_t watch_count;
    size_t watches_left; /* watches that have not been handed out */
    entry entries[];
};

static cf_future *future_of(entry e) {
    return (cf_future *)(e & ~(entry)TAGS); // NOLINT(performance-no-int-to-ptr): was a pointer
}

static cfi_slab *slab_at(const cf_as_completed *iteration, size_t i) {
    return cfi_slab_of(future_of(iteration->entries[i]));
}

static bool begins_row(const cf_as_completed *iteration, size_t i) {
    return i == 0 || slab_at(iteration, i) != slab_at(iteration, i - 1);
}

/* ---- duplicates ------------------------------------------------------------------------------ */

/* True if all futures belong to one executor and are in the order of submission, or in the reverse
 * order, as is usual. Then no future appears twice. */
static bool are_in_order(const cf_as_completed *iteration) {
    int direction = 0;
    for (size_t i = 1; i < iteration->count; i++) {
        const cfi_slab *before = slab_at(iteration, i - 1), *slab = slab_at(iteration, i);
        const cf_future *earlier = future_of(iteration->entries[i - 1]);
        const cf_future *future = future_of(iteration->entries[i]);
        bool rises = before == slab ? future > earlier : slab->first_ticket > before->first_ticket;
        bool falls = before == slab ? future < earlier : slab->first_ticket < before->first_ticket;
        if (cfi_executor_of(future) != cfi_executor_of(earlier) || rises == falls ||
            (direction != 0 && direction != (rises ? 1 : -1))) {
            return false;
        }
        direction = rises ? 1 : -1;
    }
    return true;
}

static size_t hash(const cf_future *future) {
    return (size_t)(((uint64_t)(uintptr_t)future >> 5) * UINT64_C(0x9e3779b97f4a7c15) >> 20);
}

/* Finds them by a hash table of the futures seen, open addressing, at most half full. False: no
 * memory. */
static bool tag_duplicates(cf_as_completed *iteration) {
    size_t size = 4;
    while (size < iteration->count * 2) {
        size *= 2;
    }
    cfi_assert((size & (size - 1)) == 0 && size / 2 >= iteration->count);
    const cf_future **seen = plat_noted(calloc(size, sizeof(cf_future *)));
    if (seen == NULL) {
        return false;
    }
    for (size_t i = 0; i < iteration->count; i++) {
        const cf_future *future = future_of(iteration->entries[i]);
        size_t place = hash(future) & (size - 1);
        while (seen[place] != NULL && seen[place] != future) {
            place = (place + 1) & (size - 1);
        }
        if (seen[place] == future) {
            iteration->entries[i] |= DUPLICATE;
        }
        seen[place] = future;
    }
    free(seen);
    return true;
}

/* ---- beginning ------------------------------------------------------------------------------- */

static cf_status check_all(cf_future *const *futures, size_t count) {
    const cfi_futures_header *checked = NULL;
    if (futures == NULL && count > 0) {
        return CF_EINVAL;
    }
    for (size_t i = 0; i < count; i++) {
        if (futures[i] == NULL) {
            return CF_EINVAL;
        }
        const cfi_futures_header *header = cfi_futures_header_of(futures[i]);
        if (header != checked && cfi_future_is_foreign(futures[i])) {
            return CF_EFORKED;
        }
        checked = header;
    }
    return CF_OK;
}

/* Keeps all futures valid, and tags those that are done. */
static void enter_all(cf_as_completed *iteration, cf_future *const *futures, size_t count) {
    for (size_t i = 0; i < count; i++) {
        cf_future *future = futures[i];
        entry e = (entry)future;
        cfi_assert((e & TAGS) == 0);
        if (cfi_future_has_block(future)) {
            cfi_future_retain(future);
            e |= HELD;
        }
        if (cfi_word_is_over(plat_load_acquire(&cfi_slot_of(future)->word))) {
            e |= DONE;
        }
        iteration->entries[i] = e;
        if (begins_row(iteration, i)) {
            cfi_slab_pin(cfi_slab_of(future));
        }
    }
    iteration->count = count;
}

/* False: no memory. */
static bool watch_rest(cf_as_completed *iteration) {
    size_t rest = 0;
    for (size_t i = 0; i < iteration->count; i++) {
        rest += (iteration->entries[i] & (DONE | DUPLICATE)) == 0;
        iteration->done_left += (iteration->entries[i] & (DONE | DUPLICATE)) == DONE;
    }
    iteration->watches = plat_noted(malloc((rest > 0 ? rest : 1) * sizeof(cfi_watch)));
    for (size_t i = 0; i < iteration->count && iteration->watches != NULL; i++) {
        if ((iteration->entries[i] & (DONE | DUPLICATE)) == 0) {
            cfi_watch *watch = &iteration->watches[iteration->watch_count++];
            cfi_watch_begun begun =
                cfi_watch_begin(&iteration->set, watch, future_of(iteration->entries[i]), i);
            cfi_assert(begun != CFI_WATCH_DUPLICATE); /* those were found before */
            if (begun != CFI_WATCH_BEGUN) {
                return false;
            }
        }
    }
    cfi_assert(iteration->watches == NULL || iteration->watch_count == rest);
    iteration->watches_left = rest;
    return iteration->watches != NULL;
}

static bool begin(cf_as_completed *iteration, cf_future *const *futures, size_t count) {
    if (!cfi_watch_set_init(&iteration->set)) {
        return false;
    }
    enter_all(iteration, futures, count);
    return (are_in_order(iteration) || tag_duplicates(iteration)) && watch_rest(iteration);
}

cf_status cf_as_completed_create(cf_future *const *futures, size_t count,
                                 cf_as_completed **as_completed) {
    if (as_completed == NULL) {
        return CF_EINVAL;
    }
    *as_completed = NULL;
    cf_status status = check_all(futures, count);
    if (status != CF_OK) {
        return status;
    }
    if (count > (SIZE_MAX / 4 - sizeof(cf_as_completed)) / sizeof(cfi_watch)) {
        plat_refusal_note_limit();
        return CF_ENOMEM;
    }
    cf_as_completed *iteration = plat_noted(malloc(sizeof *iteration + count * sizeof(entry)));
    if (iteration == NULL) {
        return CF_ENOMEM;
    }
    *iteration = (cf_as_completed){.fork_mark = plat_fork_mark()};
    if (!begin(iteration, futures, count)) {
        cf_as_completed_destroy(iteration);
        return CF_ENOMEM;
    }
    *as_completed = iteration;
    return CF_OK;
}

/* ---- going on -------------------------------------------------------------------------------- */

static size_t next_done(cf_as_completed *iteration) {
    size_t i = iteration->done_next;
    cfi_assert(iteration->done_left > 0 && i < iteration->count);
    while ((iteration->entries[i] & (DONE | DUPLICATE)) != DONE) {
        i++;
        cfi_assert(i < iteration->count);
    }
    iteration->done_next = i + 1;
    iteration->done_left--;
    return i;
}

cf_status cf_as_completed_next(cf_as_completed *as_completed, int64_t timeout_ns,
                               cf_future **future, size_t *index) {
    if (as_completed == NULL || future == NULL) {
        return CF_EINVAL;
    }
    *future = NULL;
    if (!plat_fork_mark_is_ours(as_completed->fork_mark)) {
        return CF_EFORKED;
    }
    size_t i;
    if (as_completed->done_left > 0) {
        i = next_done(as_completed);
    } else if (as_completed->watches_left > 0) {
        cfi_watch *watch;
        cf_status status =
            cfi_await_set(&as_completed->set, plat_deadline_ns(timeout_ns), -1, &watch);
        if (status != CF_OK) {
            return status;
        }
        as_completed->watches_left--;
        i = watch->index;
        cfi_assert(i < as_completed->count && (as_completed->entries[i] & (DONE | DUPLICATE)) == 0);
    } else {
        return CF_EEXHAUSTED;
    }
    *future = future_of(as_completed->entries[i]);
    cfi_assert(cfi_word_is_over(plat_peek(&cfi_slot_of(*future)->word)));
    if (index != NULL) {
        *index = i;
    }
    return CF_OK;
}

/* ---- ending ---------------------------------------------------------------------------------- */

static void leave_all(cf_as_completed *iteration) {
    cfi_watch_set_drain(&iteration->set);
    for (size_t i = 0; i < iteration->watch_count; i++) {
        cfi_watch_end(&iteration->watches[i]);
    }
    cfi_assert(iteration->set.members.first == NULL);
    cf_executor *executor = NULL;
    cfi_slab *pinned = NULL;
    for (size_t i = 0; i < iteration->count; i++) {
        entry e = iteration->entries[i];
        cfi_slab *slab = cfi_slab_of(future_of(e));
        cf_executor *of = cfi_executor_of(future_of(e));
        if ((e & HELD) != 0) {
            cfi_future_release(future_of(e));
        }
        if (slab != pinned && pinned != NULL) {
            cfi_slab_unpin(executor, pinned);
        }
        pinned = slab;
        executor = of;
    }
    if (pinned != NULL) {
        cfi_slab_unpin(executor, pinned);
    }
}

void cf_as_completed_destroy(cf_as_completed *as_completed) {
    if (as_completed == NULL) {
        return;
    }
    if (plat_fork_mark_is_ours(as_completed->fork_mark)) {
        leave_all(as_completed);
    }
    cfi_watch_set_fini(&as_completed->set);
    free(as_completed->watches);
    free(as_completed);
}
