/* Groups of tasks: futures that the library keeps for the caller, as long as they are not done.
 *
 *   - Each submit looks at two entries, and drops those that are done. So their number stays about that of the tasks that
 *     are not done, and a submit costs the same however many there are.
 *   - A wait takes references to all futures and waits for them without the lock. Then it looks at all entries.
 *   - The lock is never held while a task may run (serial runs it in submit) or a thread sleeps. */
#include <cfutures_group.h>

#include "platform/assert.h"
#include "platform/clock.h"
#include "platform/fork_mark.h"
#include "platform/lock.h"
#include "platform/refusal.h"

#include <stdlib.h>

typedef struct entry {
    cf_future *future;
    void *result; /* the caller's place; NULL = not wanted */
} entry;

struct cf_group {
    uint64_t fork_mark;
    cf_executor *executor;
    cf_group_options options;
    plat_lock lock; /* for: */
    entry *entries; /* of tasks that were not done when the group looked */
    size_t count, capacity;
    size_t promised;    /* entries that submits under way will make; there is room for them */
    size_t cursor;      /* the entry that the next submit looks at */
    cf_exception first; /* failure; status CF_OK = none */
    bool cancelled;     /* no more tasks */
    bool destroyed;     /* no more results */
};

static bool is_ours(const cf_group *group) {
    return plat_fork_mark_is_ours(group->fork_mark);
}

/* ---- entries, under the lock ------------------------------------------------------------------ */

static void cancel_all(cf_group *self) {
    self->cancelled = true;
    for (size_t i = 0; i < self->count; i++) {
        cf_future_cancel(self->entries[i].future);
    }
}

static void note_failure(cf_group *self, const cf_exception *exception) {
    const bool is_failure = exception->status != CF_OK && exception->status != CF_ECANCELLED;
    if (self->first.status == CF_OK || (self->first.status == CF_ECANCELLED && is_failure)) {
        self->first = *exception;
    }
    if (is_failure && self->options.cancel_on_failure && !self->cancelled) {
        cancel_all(self);
    }
}

/* True: the entry's task is done. Its place is given up, and the last entry takes it. */
static bool drop_if_done(cf_group *self, size_t place) {
    const entry e = self->entries[place];
    cf_exception exception;
    if (!cf_future_done(e.future)) {
        return false;
    }
    self->entries[place] = self->entries[--self->count];
    const cf_status status = cf_future_exception(e.future, 0, &exception);
    cfi_assert(status == CF_OK);
    if (status == CF_OK && exception.status != CF_OK) {
        note_failure(self, &exception);
    } else if (e.result != NULL && !self->destroyed) {
        cf_future_result(e.future, 0, e.result);
    }
    cf_future_release(e.future);
    return true;
}

static void drop_all_done(cf_group *self) {
    for (size_t i = 0; i < self->count;) {
        if (!drop_if_done(self, i)) {
            i++;
        }
    }
}

static void look_at_two(cf_group *self) {
    for (int i = 0; i < 2 && self->count > 0; i++) {
        self->cursor = self->cursor < self->count ? self->cursor : 0;
        if (!drop_if_done(self, self->cursor)) {
            self->cursor++;
        }
    }
}

/* False: no memory. */
static bool promise_entry(cf_group *self) {
    if (self->count + self->promised == self->capacity) {
        const size_t capacity = self->capacity == 0 ? 16 : self->capacity * 2;
        entry *entries = plat_noted(realloc(self->entries, capacity * sizeof *entries));
        if (entries == NULL) {
            return false;
        }
        self->entries = entries;
        self->capacity = capacity;
    }
    self->promised++;
    return true;
}

/* ---- waiting ---------------------------------------------------------------------------------- */

/* Gives the lock meanwhile. */
static cf_status wait_for(cf_group *self, cf_wait_for condition, int64_t deadline_ns) {
    const size_t count = self->count;
    cf_future **futures = plat_noted(malloc((count + 1) * sizeof(cf_future *)));
    if (futures == NULL) {
        return CF_ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        futures[i] = cf_future_retain(self->entries[i].future);
    }
    plat_lock_give(&self->lock);
    const cf_status status = cf_wait(futures, count, condition, plat_timeout_ns(deadline_ns), NULL);
    for (size_t i = 0; i < count; i++) {
        cf_future_release(futures[i]);
    }
    free(futures);
    plat_lock_take(&self->lock);
    drop_all_done(self);
    return status;
}

static bool has_failed(const cf_group *self) {
    return self->first.status != CF_OK && self->first.status != CF_ECANCELLED;
}

/* Under the lock. */
static cf_status wait_until(cf_group *self, cf_wait_for condition, int64_t deadline_ns) {
    cf_status status = CF_OK;
    drop_all_done(self);
    while (status == CF_OK && self->count > 0 &&
           !(condition == CF_FIRST_EXCEPTION && has_failed(self))) {
        const bool to_cancel = self->options.cancel_on_failure && !self->cancelled;
        status = wait_for(self, to_cancel ? CF_FIRST_EXCEPTION : condition, deadline_ns);
    }
    return status;
}

cf_status cf_group_wait(cf_group *group, cf_wait_for condition, int64_t timeout_ns,
                        cf_exception *exception) {
    cf_exception ended = {.status = CF_EINVAL, .worker = -1};
    if (group != NULL && !is_ours(group)) {
        ended.status = CF_EFORKED;
    } else if (group != NULL &&
               (condition == CF_ALL_COMPLETED || condition == CF_FIRST_EXCEPTION)) {
        const int64_t deadline_ns = plat_deadline_ns(timeout_ns);
        plat_lock_take(&group->lock);
        ended.status = wait_until(group, condition, deadline_ns);
        if (ended.status == CF_OK) {
            ended = group->first;
        }
        plat_lock_give(&group->lock);
    }
    if (exception != NULL) {
        *exception = ended;
    }
    return ended.status;
}

/* ---- submitting ------------------------------------------------------------------------------- */

/* Under the lock. CF_OK: an entry is promised. */
static cf_status admit(cf_group *self) {
    const size_t window = self->options.window;
    look_at_two(self);
    while (!self->cancelled && window > 0 && self->count >= window) {
        const cf_status status = wait_for(self, CF_FIRST_COMPLETED, CF_FOREVER);
        if (status != CF_OK) {
            return status;
        }
    }
    return self->cancelled ? CF_ECANCELLED : promise_entry(self) ? CF_OK : CF_ENOMEM;
}

cf_status cf_group_submit(cf_group *group, const cf_task *task, const void *arg,
                          const cf_submit_options *options, void *result) {
    cf_future *future;
    if (group == NULL) {
        return CF_EINVAL;
    }
    if (!is_ours(group)) {
        return CF_EFORKED;
    }
    plat_lock_take(&group->lock);
    cf_status status = admit(group);
    plat_lock_give(&group->lock);
    if (status != CF_OK) {
        return status;
    }
    status = cf_executor_submit_with(group->executor, task, arg, options, &future);
    plat_lock_take(&group->lock);
    group->promised--;
    if (status == CF_OK) {
        group->entries[group->count++] = (entry){future, result};
    }
    if (status == CF_OK && group->cancelled) { /* meanwhile */
        cf_future_cancel(future);
    }
    plat_lock_give(&group->lock);
    return status;
}

/* ---- life ------------------------------------------------------------------------------------- */

cf_status cf_group_create(cf_executor *executor, const cf_group_options *options,
                          cf_group **group) {
    cf_stats stats;
    if (group == NULL) {
        return CF_EINVAL;
    }
    *group = NULL;
    const cf_status status = cf_executor_stats(executor, &stats); /* is it there, and ours? */
    if (status != CF_OK) {
        return status;
    }
    cf_group *self = plat_noted(calloc(1, sizeof *self));
    if (self == NULL) {
        return CF_ENOMEM;
    }
    self->fork_mark = plat_fork_mark();
    self->executor = executor;
    self->options = options != NULL ? *options : (cf_group_options){0};
    self->first.worker = -1;
    plat_lock_init(&self->lock);
    *group = self;
    return CF_OK;
}

void cf_group_cancel(cf_group *group) {
    if (group != NULL && is_ours(group)) {
        plat_lock_take(&group->lock);
        cancel_all(group);
        plat_lock_give(&group->lock);
    }
}

/* Tasks that run may submit meanwhile: they need the lock, and are refused. */
void cf_group_destroy(cf_group *group) {
    if (group == NULL || !is_ours(group)) {
        return;
    }
    plat_lock_take(&group->lock);
    group->destroyed = true;
    cancel_all(group);
    while (group->count > 0) {
        cf_future *future = group->entries[--group->count].future;
        plat_lock_give(&group->lock);
        cf_future_result(future, CF_FOREVER, NULL);
        cf_future_release(future);
        plat_lock_take(&group->lock);
    }
    cfi_assert(group->promised == 0); /* nobody else uses it */
    plat_lock_give(&group->lock);
    plat_lock_destroy(&group->lock);
    free(group->entries);
    free(group);
}
