/* The nursery: a process with one thread that forks, reaps and kills the workers of a process pool.
 *
 *   - It is forked from the caller when the pool is made, and allocates nothing from then on. So
 *     the replacement of a dead worker is not a fork of the caller, whose threads may hold locks.
 *   - As the workers' parent it alone can reap them. No other wait() interferes, and no pid is
 *     reused while the nursery still uses it.
 *   - The caller's process and the nursery share words. An eventfd in each direction says "look".
 *   - Every word is level, not edge: a side that misses an event sees the word at its next look.
 *
 *      record.process_state   VACANT ──nursery: FORKING──▶ ALIVE ──nursery reaps──▶ DEAD (exit_state is set)
 *                     │ ▲                                                   │
 *                     │ └──── supervisor: judged, to be replaced ───────────┤
 *                     │       supervisor: judged, not to be replaced ───────┴──▶ GONE
 *                     └────── supervisor: the pool is stopped and idle ────────▶ GONE
 *
 * If fork fails, FORKING becomes VACANT again. Nursery and supervisor leave VACANT by a CAS. So a
 * worker that is no longer needed is not forked, and a worker that was forked lives its whole life.
 *
 *      word             written by   says
 *      workers_wanted   caller       the records below it shall have a worker
 *      quit             supervisor   kill and reap the workers, then end
 *      spawn_asked      caller       how often it has asked for the first worker
 *      spawn_answered   nursery      spawn_asked, as it was before the look of which spawn_error tells
 *      spawn_error      nursery      errno of fork while there is no worker at all, else 0
 *      spawn_rounds     nursery      futex: how often it has looked for vacancies
 *      record.kill      caller       a signal for the living worker: the nursery takes it, or the
 *                                    supervisor drops it when the worker is dead
 *
 * The caller clears workers_wanted again when the first worker cannot be forked. The nursery may still
 * be trying then, so an error that it tells later may be of an earlier request: spawn_answered says so.
 *
 * Death. When the caller's process ends in any way, the nursery kills the workers and ends. If the
 * nursery is stopped (SIGSTOP) by then, the kernel continues it (PR_SET_PDEATHSIG). When the nursery
 * dies, the kernel sends the workers a SIGKILL. (The kernel does so when the forking *thread* ends;
 * the nursery has only one.) A nursery that may not wait for workers (a sandbox) would see no death: it
 * ends.
 *
 * Process groups. Each worker leads one, so that processes that its task has started are killed
 * with it: at SIGKILL, and when the worker has died of a signal. So the terminal's signals reach
 * the nursery but no worker. At Ctrl-Z the nursery stops the workers. Then it looks 20 times a
 * second whether the caller is still stopped. When it is not, the nursery continues the workers. */
#ifndef EXECUTORS_NURSERY_H
#define EXECUTORS_NURSERY_H

#include "cfutures/worker/scope.h"

#include <sys/types.h>

enum cfi_process_state {
    CFI_VACANT,
    CFI_FORKING,
    CFI_ALIVE,
    CFI_DEAD,
    CFI_GONE
};

typedef struct cfi_nursery {
    cfi_queue *queue;
    const cfi_worker_config *config;
    pid_t host;       /* the caller's process */
    int host_pidfd;   /* -1 where the system has none */
    int command_file; /* eventfd: caller -> nursery */
    int event_file;   /* eventfd: nursery -> caller */
} cfi_nursery;

/* Runs in the forked child; never returns. */
_Noreturn void cfi_nursery_run(const cfi_nursery *nursery);

/* Makes the reader of the eventfd look; clear undoes it. */
void cfi_nursery_notify(int event_file);
void cfi_nursery_clear(int event_file);

#endif
