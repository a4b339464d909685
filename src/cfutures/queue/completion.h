/* Telling the caller's side that a task is settled.
 *
 * Whoever settles a slot (a worker, a canceller, the supervisor in place of a dead worker) reads
 * from the word that it replaced who wants to know: CFI_WAITED, threads asleep on that very word;
 * CFI_WATCHED, someone who waits for one of many. Watched slots are pushed on a stack that the
 * waiting callers take as a whole (watch.h), so to wait for n tasks costs n, whatever their order.
 *
 * A stack that is only pushed to and only taken whole has no ABA problem. A slot is pushed at most
 * once in its life, and its own reference (taken with the flag) keeps it from being recycled while
 * it is on the stack. A worker that dies before it pushed is covered by the supervisor. */
#ifndef CFUTURES_COMPLETION_H
#define CFUTURES_COMPLETION_H

#include "cfutures/queue/queue.h"

/* What has become of a slot's announcement; cf_future.announcement. */
typedef enum cfi_announcement {
    CFI_NOT_ASKED,
    CFI_ASKED,    /* the settler will push it, or has; the stack holds a reference */
    CFI_COLLECTED /* it has been taken off the stack */
} cfi_announcement;

/* replaced: the word that the settling CAS found */
void cfi_completion_announce(cfi_queue *queue, cfi_slot *slot, uint64_t replaced);

/* Wakes the callback thread (waiting/callback.h), or a thread that waits for the callbacks' end. */
void cfi_completion_ring_callbacks(cfi_queue *queue);

bool cfi_completion_any(const cfi_queue *queue);

/* Takes all announced slots: the first one's index + 1 (0 = none), oldest first, linked by
 * next_done. The caller holds the reap lock. */
uint32_t cfi_completion_take(cfi_queue *queue);

#endif
