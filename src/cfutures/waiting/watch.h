/* Waiting for one of many: the caller's side of the completion stack.
 *
 *      worker ──settles a watched slot──▶ completion stack ──cfi_watch_drain──▶ sets ──▶ waiting
 *                                         (one an executor)  (a waiting thread)         threads
 *
 *   - A watch ties one future to one set.
 *   - A thread that waits on a set drains the stacks of the set's executors itself, for every set
 *     that watches there. No thread of the library is on the way.
 *   - Reaping is done under the executor's drain_lock; delivering to a set under the set's lock.
 *   - Each watch holds a reference to its future.
 *   - The completion stack holds one too, from the first watch of a future until its slot has been
 *     drained. The settler pushes a slot after it has settled it; by then the caller may have
 *     released the future. The reference keeps the slot from being used again while it is on the stack. */
#ifndef CFUTURES_WATCH_H
#define CFUTURES_WATCH_H

#include "cfutures/core/executor.h"

typedef struct cfi_watch {
    cf_future *future;                        /* NULL: not in use */
    void (*deliver)(struct cfi_watch *watch); /* the task is over; under drain_lock */
    struct cfi_watch_set *set;                /* NULL: the watch is a callback */
    struct cfi_watch *next;                   /* of the same future; under drain_lock */
    cfi_node member;                          /* of the same set; the waiting thread's */
    cfi_link ready;                           /* under the set's lock, like `delivered` */
    size_t index;                             /* the owner's */
    bool delivered;
} cfi_watch;

typedef struct cfi_watch_set {
    plat_biased_lock lock;
    cfi_list ready;          /* done and not yet handed out, in the order of delivery */
    cf_executor **executors; /* of the slots that are watched */
    size_t executor_count;
    cfi_bell *bell;
    cfi_chain members;  /* all watches, in the order in which they began; the waiting thread's */
    cfi_node *unhelped; /* nested.c need not look at those before it any more */
} cfi_watch_set;

/* False: no memory. */
bool cfi_watch_set_init(cfi_watch_set *set);
void cfi_watch_set_fini(cfi_watch_set *set); /* every watch must have been ended */

/* Takes the memory that watches of this executor's slots need. False: there is none. When it has been
 * called, cfi_watch_begin cannot fail. */
bool cfi_watch_set_know(cfi_watch_set *set, cf_executor *executor);

typedef enum cfi_watch_begun {
    CFI_WATCH_BEGUN,
    CFI_WATCH_DUPLICATE, /* the set watches the slot already: the watch is not in use */
    CFI_WATCH_NO_MEMORY, /* not in use either */
} cfi_watch_begun;

/* The owner of `watch` leaves it where it is until cfi_watch_end. */
cfi_watch_begun cfi_watch_begin(cfi_watch_set *set, cfi_watch *watch, cf_future *future,
                                size_t index);
void cfi_watch_end(cfi_watch *watch);

/* Delivers what is done on the set's executors. */
void cfi_watch_set_drain(cfi_watch_set *set);

/* The next watch that was delivered; NULL = none. */
cfi_watch *cfi_watch_set_pop(cfi_watch_set *set);

/* True if a watch is ready to be handed out, or its slot is settled but not delivered, or f is true
 * for the slot of a watch that is neither. Called under the lock of nested.c's list: so the waiting
 * thread cannot go on meanwhile. */
bool cfi_watch_set_any(cfi_watch_set *set, bool (*f)(cf_future *future));

/* Under drain_lock: asks the settler to announce the slot. False: the slot was announced and drained
 * before, or it is settled and will not be announced. */
bool cfi_watch_ask(cf_future *future);

/* Under drain_lock: delivers the slot's watches, in the order in which they began. */
void cfi_watch_deliver_all(cf_future *future);

/* Under drain_lock: takes the watch off its slot's list. */
void cfi_watch_take_off(cfi_watch *watch);

/* Delivers all that is on the executor's completion stack. */
void cfi_watch_drain(cf_executor *executor);

/* The settler of this slot died, perhaps before it pushed the slot: delivers the slot if so. */
void cfi_watch_drain_orphan(cf_executor *executor, cf_future *future, unsigned worker);

/* All workers are dead, and every task is over: delivers what is asked for, whatever the stack has. */
void cfi_watch_drain_broken(cf_executor *executor);

#endif
