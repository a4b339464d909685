/* How much memory a process has. */
#ifndef PROGRAMS_RESIDENT_H
#define PROGRAMS_RESIDENT_H

#include <stdint.h>

/* Bytes that are in memory now; shared pages count in each process that has touched them. process: 0 = this one. 0 if
 * that process is gone, or /proc cannot be read. */
uint64_t resident_bytes(int64_t process);

#endif
