/* Where every thread of this process sleeps that waits for one of several tasks.
 *
 * One pair of words for the whole process, on a page that worker processes share, so that one
 * sleeper can wait for tasks of several executors.
 *
 *      sleeper                                     ringer (any worker, or the caller's process)
 *      rung = cfi_bell_listen(bell)                publish the completion (a seq_cst CAS)
 *      look again; if there is something, done     cfi_bell_ring(bell)
 *      cfi_bell_sleep(bell, rung, deadline)
 *
 * No lost wake-up: listen sets `armed` before the sleeper looks again, ring reads it after
 * publishing, all seq_cst, so either the sleeper sees the completion or the ringer sees `armed`.
 * The first ringer takes `armed` and wakes every sleeper; each arms it again before it sleeps
 * again. A ringer that dies between publishing and waking is covered by the supervisor, which rings
 * at every death. Rings that concern others are harmless: a sleeper looks again. */
#ifndef CFUTURES_BELL_H
#define CFUTURES_BELL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct cfi_bell {
    uint64_t fork_mark; /* of the process whose it is: a forked child makes its own */
    _Atomic uint32_t armed;
    _Atomic uint32_t rung;
} cfi_bell;

/* The bell of this process, made at the first call; NULL when the system refuses its page. */
cfi_bell *cfi_bell_of_process(void);

uint32_t cfi_bell_listen(cfi_bell *bell);
/* False when the deadline has passed. */
bool cfi_bell_sleep(cfi_bell *bell, uint32_t rung, int64_t deadline_ns);

void cfi_bell_ring(cfi_bell *bell);
void cfi_bell_ring_always(cfi_bell *bell); /* also when nobody has armed it */

#endif
