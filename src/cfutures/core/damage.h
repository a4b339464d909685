/* Memory that a task in another process has overwritten.
 *
 *   - Worker processes share slots, payloads and the queue's words with the caller, and a task may
 *     write to a wrong place. What the caller follows lies elsewhere (queue/future.h), and what it
 *     reads there is checked. So its own memory is safe, and it ends.
 *   - Whoever finds what no worker writes notes the damage. The pool then breaks: its workers are
 *     killed, and each task that is not done ends with CF_EBROKEN (worker_death.c).
 *   - Some damage is silent: a task that nobody finds any more, an index past the end. So the words
 *     are looked through when a worker dies, and once a second by who waits (waiting/await.c). Who
 *     waits for a task that runs does not look further: the look takes the lock, and ends its
 *     ownership (platform/biased_lock.h).
 *   - A value that a worker could have written is believed. So a result may be wrong that a wild write
 *     hits: nothing can tell. */
#ifndef CFUTURES_DAMAGE_H
#define CFUTURES_DAMAGE_H

#include "cfutures/core/executor.h"

/* What a worker may have written makes no sense. Any lock may be held. */
void cfi_damage_note(cf_executor *executor);

/* Looks at a task that is waited for, and notes the damage if nobody could end it. True if its worker
 * is running it: so it is not lost. Takes the lock if the run is over its time. */
bool cfi_damage_look_at(cf_future *future);

/* Looks through the words of the queue and of the workers' records, and notes the damage that it
 * finds. Does nothing for threads. Takes the lock. */
void cfi_damage_look(cf_executor *executor);

#endif
