/* The nursery: a process with one thread that forks the workers of a process pool, reaps and kills
 * them.
 *
 * It is forked from the caller when the pool is made and allocates nothing from then on, so that a
 * replacement for a dead worker never comes out of a fork of the caller's threads. As the workers'
 * parent it alone can reap them: nobody else's wait() gets in the way, and no pid is reused under
 * us.
 *
 * The caller's process and the nursery talk through shared words; an eventfd each way says "look".
 * Every word is level, not edge: who misses an event sees the word at the next look.
 *
 *      record.life   VACANT ──nursery: FORKING──▶ ALIVE ──nursery reaps──▶ DEAD (exit_state is set)
 *                     │ ▲                                                   │
 *                     │ └──── supervisor: judged, to be replaced ───────────┤
 *                     │       supervisor: judged, not to be replaced ───────┴──▶ GONE
 *                     └────── supervisor: the pool is stopped and idle ────────▶ GONE
 *
 * (Nursery and supervisor leave VACANT by a CAS: a worker that is not needed any more is not forked,
 * and one that was forked lives its life to the end.)
 *
 *      word             written by   says
 *      workers_wanted   caller       records below it are to be kept filled
 *      quit             supervisor   kill what is left, reap it, end
 *      spawn_error      nursery      errno of fork while there is no worker at all, else 0
 *      spawn_rounds     nursery      futex: how often it has looked for vacancies
 *      record.kill      caller       a signal for the living worker: the nursery takes it, the
 *                                    supervisor drops it when the worker is dead
 *
 * (The caller clears spawn_error and workers_wanted again when the first worker cannot be had.)
 *
 * It ends by itself when the caller's process ends in whatever way, killing the workers first; they
 * in turn get a SIGKILL from the kernel when the nursery dies. (That signal is sent when the
 * forking *thread* ends: safe here, where there is one.)
 *
 * Each worker leads a process group of its own, so that what a task has started can be killed with
 * it: at SIGKILL, and when it has died of a signal itself. The terminal's signals reach the nursery
 * alone; at Ctrl-Z it stops the workers, and continues them when the caller goes on. */
#ifndef EXECUTORS_NURSERY_H
#define EXECUTORS_NURSERY_H

#include "cfutures/worker/scope.h"

#include <sys/types.h>

enum cfi_life {
    CFI_VACANT,
    CFI_FORKING,
    CFI_ALIVE,
    CFI_DEAD,
    CFI_GONE
};

typedef struct cfi_nursery {
    cfi_queue *queue;
    const cfi_worker_life *life;
    pid_t host;       /* the caller's process */
    int host_pidfd;   /* -1 where there are none */
    int command_file; /* eventfd: caller -> nursery */
    int event_file;   /* eventfd: nursery -> caller */
} cfi_nursery;

/* In the forked child: never returns. */
_Noreturn void cfi_nursery_run(const cfi_nursery *nursery);

/* Makes the reader of an eventfd look. */
void cfi_nursery_notify(int event_file);
void cfi_nursery_clear(int event_file);

#endif
