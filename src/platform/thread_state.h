/* What the kernel says of a thread of this process. */
#ifndef PLATFORM_THREAD_STATE_H
#define PLATFORM_THREAD_STATE_H

#include <stdbool.h>
#include <stdint.h>

/* The processor time that the thread has used, in nanoseconds. Costs a system call and no
 * descriptor. -1: no such thread. id: from plat_thread_id. */
int64_t plat_thread_cpu_ns(int64_t id);

/* The thread runs, or waits for a processor. False: it sleeps or has ended; or /proc cannot be read
 * (it is not mounted, or no descriptor is left). Costs opening a file, some 10 us. */
bool plat_thread_is_runnable(int64_t id);

#endif
