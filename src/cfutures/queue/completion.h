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

/* replaced: the word that the settling CAS found */
void cfi_completion_announce(cfi_queue *queue, cfi_slot *slot, uint64_t replaced);

bool cfi_completion_any(const cfi_queue *queue);

/* Takes all announced slots: the first one's index + 1 (0 = none), oldest first, linked by
 * next_done. The caller holds the reap lock. */
uint32_t cfi_completion_take(cfi_queue *queue);

#endif
