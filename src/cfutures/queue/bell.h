/* The bell: a thread of this process that waits for one of several tasks sleeps on it.
 *
 * The whole process has one bell, on a page that worker processes share: a thread can sleep on one
 * futex only, and may wait for tasks of several executors at once.
 *
 *      sleeper                                     ringer (any worker, or the caller's process)
 *      rung = cfi_bell_listen(bell)                publish the completion (a seq_cst CAS)
 *      look again; if there is something, done     cfi_bell_ring(bell)
 *      cfi_bell_sleep(bell, rung, deadline)
 *
 *   - No lost wake-up: listen sets `armed` before the sleeper looks again, ring reads it after the
 *     completion is published, all seq_cst. So the sleeper sees the completion, or the ringer sees
 *     `armed`.
 *   - The first ringer clears `armed` and wakes every sleeper. Each sleeper arms the bell again
 *     before it sleeps again.
 *   - If a ringer dies between publishing and waking, the supervisor rings, as at every death.
 *   - A ring that concerns other sleepers costs a sleeper one look. */
#ifndef CFUTURES_BELL_H
#define CFUTURES_BELL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct cfi_bell {
    uint64_t fork_mark; /* of the process that made it: a forked child makes its own bell */
    _Atomic uint32_t armed;
    _Atomic uint32_t rung;
} cfi_bell;

/* The bell of this process, made by the first call. NULL: the system refuses its page. */
cfi_bell *cfi_bell_of_process(void);

uint32_t cfi_bell_listen(cfi_bell *bell);
/* rung: what listen returned. False when the deadline has passed. */
bool cfi_bell_sleep(cfi_bell *bell, uint32_t rung, int64_t deadline_ns);

void cfi_bell_ring(cfi_bell *bell);
void cfi_bell_ring_always(cfi_bell *bell); /* also if no sleeper has armed it */

#endif
