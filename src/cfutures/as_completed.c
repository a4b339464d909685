/* Futures in the order in which they are done. */
#include "cfutures/watch.h"

#include "platform/clock.h"
#include "platform/fork_mark.h"

#include <stdlib.h>

struct cf_as_completed {
    uint64_t fork_mark;
    cfi_watch_set set;
    size_t count; /* of watches made; duplicates among them are not in use */
    size_t left;  /* not yet handed out */
    cfi_watch watches[];
};

static cf_status check_all(cf_future *const *futures, size_t count) {
    if (futures == NULL && count > 0) {
        return CF_EINVAL;
    }
    for (size_t i = 0; i < count; i++) {
        if (futures[i] == NULL) {
            return CF_EINVAL;
        }
        if (!cfi_fork_mark_is_ours(cfi_executor_of(futures[i])->fork_mark)) {
            return CF_EFORKED;
        }
    }
    return CF_OK;
}

static cf_status watch_all(cf_as_completed *iteration, cf_future *const *futures, size_t count) {
    for (; iteration->count < count; iteration->count++) {
        switch (cfi_watch_begin(&iteration->set, &iteration->watches[iteration->count],
                                futures[iteration->count], iteration->count)) {
        case CFI_WATCH_NO_MEMORY:
            return CF_ENOMEM;
        case CFI_WATCH_BEGUN:
            iteration->left++;
            break;
        case CFI_WATCH_DUPLICATE:
            break;
        }
    }
    return CF_OK;
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
    if (count > (SIZE_MAX - sizeof(cf_as_completed)) / sizeof(cfi_watch)) {
        return CF_ENOMEM;
    }
    cf_as_completed *iteration = malloc(sizeof *iteration + count * sizeof(cfi_watch));
    if (iteration == NULL) {
        return CF_ENOMEM;
    }
    iteration->count = 0;
    iteration->left = 0;
    iteration->fork_mark = cfi_fork_mark();
    status = CF_ENOMEM;
    if (cfi_watch_set_init(&iteration->set)) {
        status = watch_all(iteration, futures, count);
    }
    if (status != CF_OK) {
        cf_as_completed_destroy(iteration);
        return status;
    }
    *as_completed = iteration;
    return CF_OK;
}

cf_status cf_as_completed_next(cf_as_completed *as_completed, int64_t timeout_ns,
                               cf_future **future, size_t *index) {
    if (as_completed == NULL || future == NULL) {
        return CF_EINVAL;
    }
    *future = NULL;
    if (!cfi_fork_mark_is_ours(as_completed->fork_mark)) {
        return CF_EFORKED;
    }
    if (as_completed->left == 0) {
        return CF_EEXHAUSTED;
    }
    cfi_watch *watch;
    cf_status status = cfi_watch_set_next(&as_completed->set, cfi_deadline_ns(timeout_ns), &watch);
    if (status != CF_OK) {
        return status;
    }
    as_completed->left--;
    *future = watch->slot;
    if (index != NULL) {
        *index = watch->index;
    }
    return CF_OK;
}

void cf_as_completed_destroy(cf_as_completed *as_completed) {
    if (as_completed == NULL) {
        return;
    }
    if (cfi_fork_mark_is_ours(as_completed->fork_mark)) {
        cfi_watch_set_reap(&as_completed->set);
        for (size_t i = 0; i < as_completed->count; i++) {
            cfi_watch_end(&as_completed->watches[i]);
        }
    }
    cfi_watch_set_fini(&as_completed->set);
    free(as_completed);
}
