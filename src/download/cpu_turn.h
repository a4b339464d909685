/* Turns at driving libcurl: as many threads at once as there are processors.
 *
 * A thread that is inside libcurl cannot look at the clock. If hundreds of them share the processors, a handshake of
 * milliseconds takes each of them seconds, and its deadline passes unseen. A thread that waits for a turn sees it. */
#ifndef DOWNLOAD_CPU_TURN_H
#define DOWNLOAD_CPU_TURN_H

#include <stdbool.h>
#include <stdint.h>

/* Once, before there are threads. The turns are a process's own. */
void cpu_turn_prepare(void);

/* Waits for a turn until then (plat_now_ns). False if there was none. */
bool cpu_turn_begin(int64_t until_ns);
void cpu_turn_end(void);

#endif
