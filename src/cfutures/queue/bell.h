/* The bell: the event count on which a thread of this process sleeps that waits for one of several
 * tasks.
 *
 *   - The whole process has one bell, on a page that worker processes share: a thread can sleep on
 *     one futex only, and may wait for tasks of several executors at once.
 *   - A settler publishes a completion by a locked instruction, then rings (queue/completion.h).
 *   - If it dies between the two, the supervisor rings, as at every death. If it is stopped there,
 *     the nursery rings (queue/wakeup.h): threads that wait for tasks of other pools sleep here too.
 *   - A ring that concerns other sleepers costs a sleeper one look. */
#ifndef CFUTURES_BELL_H
#define CFUTURES_BELL_H

#include "platform/event_count.h"

typedef struct cfi_bell {
    uint64_t fork_mark; /* of the process that made it: a forked child makes its own bell */
    plat_event_count event;
} cfi_bell;

/* The bell of this process, made by the first call. NULL: the system refuses its page. */
cfi_bell *cfi_bell_of_process(void);

#endif
