/* How the caller's side learns that a task is settled.
 *
 *   - A settler is a worker, a canceller, the deadline thread, or the supervisor in place of a dead
 *     worker. The word that it replaced says which threads wait:
 *        CFI_WAITED    on this slot alone: the settler wakes them, and the tasks that wait for
 *                      others in its pool (waiting/nested.h)
 *        CFI_WATCHED   on one of many, or for callbacks: it pushes the slot on the completion
 *                      stack, then rings the bell and the callback thread
 *   - The waiting threads take the stack as a whole (waiting/watch.h). So to wait for n tasks takes
 *     n steps, in whatever order they end. A stack that is only taken whole has no ABA problem.
 *   - A slot is pushed at most once in its life.
 *   - The stack has its own reference to the future, taken before the flag is set. The settler pushes
 *     after it has settled, when the caller may already have the result and have released the
 *     future. The reference keeps the slot from being used again before it is off the stack.
 *   - If a worker dies before it has pushed, the supervisor delivers the slot. */
#ifndef CFUTURES_COMPLETION_H
#define CFUTURES_COMPLETION_H

#include "cfutures/queue/queue.h"

/* replaced: the word that the settling CAS replaced. */
void cfi_completion_announce(cfi_queue *queue, cfi_slot *slot, uint64_t replaced);

bool cfi_completion_any(const cfi_queue *queue);

/* Takes all announced slots, newest first, linked by next_done. Returns the first one's index + 1,
 * 0 = none. Under drain_lock. */
uint32_t cfi_completion_take(cfi_queue *queue);

#endif
