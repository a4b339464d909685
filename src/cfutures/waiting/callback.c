#include "cfutures/waiting/callback.h"

#include "cfutures/core/reference.h"
#include "cfutures/queue/completion.h"

#include "platform/assert.h"
#include "platform/futex.h"
#include "platform/process.h"
#include "platform/refusal.h"
#include "platform/thread_id.h"

#include <stdlib.h>

/* The callbacks that the thread is in. They nest: a callback may run a task that has a callback. */
typedef struct call_scope {
    const cf_executor *executor;
    const struct call_scope *outer;
} call_scope;

static _Thread_local const call_scope *innermost_call;

bool cfi_callback_is_of(const cf_executor *executor) {
    const call_scope *scope = innermost_call;
    while (scope != NULL && scope->executor != executor) {
        scope = scope->outer;
    }
    return scope != NULL;
}

/* ---- the list -------------------------------------------------------------------------------- */

/* The watch's task is over: moves the callback from there to the executor's list. */
static void deliver(cfi_watch *watch) {
    cfi_assert(watch->set == NULL);
    cfi_watch_take_off(watch);
    cfi_list_append(&cfi_executor_of(watch->future)->callbacks.waiting,
                    &((cfi_callback *)watch)->link);
}

/* ---- calling --------------------------------------------------------------------------------- */

static void call(cf_executor *executor, cfi_callback *callback) {
    const call_scope scope = {.executor = executor, .outer = innermost_call};
    cf_future *future = callback->watch.future;
    cfi_assert(!plat_biased_lock_is_held(&executor->drain_lock));
    cfi_assert(!plat_biased_lock_is_held(&executor->lock));
    innermost_call = &scope;
    callback->call(future, callback->context);
    if (cfi_executor_is_foreign(executor)) { /* a child that the callback has forked */
        plat_process_end(EXIT_SUCCESS);
    }
    cfi_assert(innermost_call == &scope);
    innermost_call = scope.outer;
    free(callback);
    cfi_assert(plat_peek(&executor->callbacks.outstanding) > 0);
    plat_sub_acq_rel(&executor->callbacks.outstanding, 1); /* see cfi_callbacks_finish */
    cfi_future_release(future);
}

/* One thread calls at a time. False: another one does. */
static bool take_turn(cf_executor *executor) {
    plat_biased_lock_take(&executor->drain_lock);
    bool taken = !executor->callbacks.busy;
    cfi_assert(!taken || !cfi_callback_is_of(executor)); /* a call holds the turn */
    executor->callbacks.busy = true;
    plat_biased_lock_give(&executor->drain_lock);
    return taken;
}

/* Calls what is on the list. The turn ends with the look that finds the list empty. True if no
 * callback is outstanding any more. */
static bool call_all(cf_executor *executor) {
    for (;;) {
        plat_biased_lock_take(&executor->drain_lock);
        cfi_assert(executor->callbacks.busy);
        cfi_link *link = cfi_list_take(&executor->callbacks.waiting);
        if (link == NULL) {
            executor->callbacks.busy = false;
            bool none = plat_load_relaxed(&executor->callbacks.outstanding) == 0;
            plat_biased_lock_give(&executor->drain_lock);
            return none;
        }
        plat_biased_lock_give(&executor->drain_lock);
        call(executor, CFI_ENTRY(link, cfi_callback, link));
    }
}

/* As an attendant's ring. */
static void ring(void *context) {
    const cf_executor *executor = context;
    plat_event_ring_always(&executor->queue.control->callbacks, executor->queue.shared);
}

void cfi_callbacks_attend(cf_executor *executor) {
    if (plat_load_relaxed(&executor->callbacks.outstanding) == 0 ||
        cfi_worker_is_of(&executor->queue)) {
        return;
    }
    cfi_watch_drain(executor);
    if (take_turn(executor)) {
        call_all(executor);
        ring(executor); /* for cfi_callbacks_finish */
    }
}

/* ---- the thread ------------------------------------------------------------------------------ */

static void *callbacks_main(void *context) {
    cf_executor *executor = context;
    plat_event_count *event = &executor->queue.control->callbacks;
    plat_thread_name("cf-callbacks");
    for (;;) {
        uint32_t seen = plat_event_listen(event);
        bool stopped = plat_load_acquire(&executor->callback_thread.stopped);
        cfi_watch_drain(executor);
        if (take_turn(executor) && call_all(executor)) {
            plat_event_disarm(event);
            if (stopped) {
                return NULL;
            }
        }
        plat_event_sleep(event, seen, -1, executor->queue.shared);
    }
}

static bool has_thread(const cf_executor *executor) {
    return !cfi_executor_is_serial(executor) &&
           !plat_load_acquire(&executor->callback_thread.stopped);
}

void cfi_callbacks_finish(cf_executor *executor) {
    cfi_assert(!cfi_callback_is_of(executor) && !cfi_worker_is_of(&executor->queue));
    plat_event_count *event = &executor->queue.control->callbacks;
    cfi_attendant_stop(&executor->callback_thread, ring, executor);
    for (;;) { /* another thread may just be calling those of a serial executor */
        uint32_t seen = plat_event_seen(event);
        cfi_callbacks_attend(executor);
        /* With acquire: a thread may read after shutdown what callbacks have written. */
        if (plat_load_acquire(&executor->callbacks.outstanding) == 0) {
            return;
        }
        plat_event_sleep(event, seen, -1, executor->queue.shared);
    }
}

/* ---- adding ---------------------------------------------------------------------------------- */

/* Puts the callback on its slot if that will still be announced, else on the executor's list. */
static void add(cf_executor *executor, cfi_callback *callback) {
    cf_future *future = callback->watch.future;
    plat_biased_lock_take(&executor->drain_lock);
    plat_add_relaxed(&executor->callbacks.outstanding, 1);
    callback->watch.next = future->watch;
    future->watch = &callback->watch;
    if (!cfi_watch_ask(future)) {
        deliver(&callback->watch);
    }
    cfi_assert(cfi_future_is_asked(future) ||
               cfi_word_is_over(plat_peek(&cfi_slot_of(future)->word)));
    plat_biased_lock_give(&executor->drain_lock);
}

cf_status cf_future_add_done_callback(cf_future *future, cf_done_fn *callback, void *context) {
    if (future == NULL || callback == NULL) {
        return CF_EINVAL;
    }
    if (cfi_future_is_foreign(future)) {
        return CF_EFORKED;
    }
    cf_executor *executor = cfi_executor_of(future);
    cfi_callback *made = plat_noted(calloc(1, sizeof *made));
    if (made == NULL) {
        return CF_ENOMEM;
    }
    if (has_thread(executor) &&
        !cfi_attendant_start(&executor->callback_thread, callbacks_main, executor)) {
        free(made);
        return CF_EAGAIN;
    }
    *made = (cfi_callback){
        .watch = {.future = future, .deliver = deliver}, .call = callback, .context = context};
    cfi_future_retain(future);
    cfi_future_retain(future); /* ours: the callback may be called, and release its own, at once */
    add(executor, made);
    if (has_thread(executor)) {
        ring(executor);
    } else {
        cfi_callbacks_attend(executor);
    }
    cfi_future_release(future);
    return CF_OK;
}
