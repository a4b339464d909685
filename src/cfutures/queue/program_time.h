/* Program time: the clock of time limits. It stands still while the program is stopped (Ctrl-Z,
 * SIGSTOP, a debugger), so that a stop does not use up the limits of its tasks.
 *
 * No thread is told of a stop. So the deadline thread looks at the clock at least every CFI_LOOK_MS
 * while runs with a limit are shown. If a look is late, program time stands still from the moment
 * when the look was overdue:
 *
 *      each look of the deadline thread              a reader: any thread, any worker process
 *      time         = min(now - stopped, stands_at)  reads stands_at, then stopped, then the clock
 *      stopped_ns   = now - time                     time = min(now - stopped, stands_at)
 *      stands_at_ns = time + 2 * CFI_LOOK_MS
 *
 *   - At most 2 * CFI_LOOK_MS of a stop count.
 *   - A thread or worker that continues before the deadline thread finds that time stands still. So
 *     it does not take the stop for a part of its run.
 *   - No limit is shortened. Program time never runs faster than the clock. If looks are made while
 *     a reader is between its three steps, it gets no less than the time at its first step.
 *   - A reader that sees the new stands_at sees the new stopped too: it is written first and read
 *     last. With the old stopped, all of a stop up to the new stands_at would count.
 *   - While nothing limited runs, the deadline thread sleeps, and time stands still. The first run
 *     that begins then rings it (core/deadline.h). The limit of that run is longer by the time that
 *     the thread takes to wake up.
 *   - A machine so busy that looks are late makes limits longer: each late look counts as a stop.
 *   - serial has no deadline thread. There program time is the clock, and stops count. */
#ifndef CFUTURES_PROGRAM_TIME_H
#define CFUTURES_PROGRAM_TIME_H

#include "cfutures/queue/queue.h"

enum {
    CFI_LOOK_MS = 50, /* twenty looks a second cost less than 0.1 % of a processor */
};

#define CFI_LOOK_NS (CFI_LOOK_MS * INT64_C(1000000))

/* As a look, in place of the deadline thread's first one. Before the first task with a limit is
 * published. */
void cfi_program_time_start(cfi_control *control);

int64_t cfi_program_time_ns(const cfi_control *control);

/* A look of the deadline thread. Returns the time. */
int64_t cfi_program_time_look(cfi_control *control);

/* For the deadline thread: when the clock will show this program time, unless the program is
 * stopped. */
int64_t cfi_program_time_on_clock(const cfi_control *control, int64_t time_ns);

#endif
