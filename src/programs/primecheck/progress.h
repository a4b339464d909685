/* How far primecheck is, on the terminal that stderr is; nothing where it is none. */
#ifndef PROGRAMS_PROGRESS_H
#define PROGRAMS_PROGRESS_H

#include "programs/base/terminal_line.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct progress {
    terminal_line line;
    int64_t begun_ns;
} progress;

void progress_begin(progress *progress, bool wanted);

/* So many numbers so far; `taken` of `size` bytes of input (0 = unknown). */
void progress_show(progress *progress, uint64_t numbers, uint64_t taken, uint64_t size);

/* Makes room: before anything else is written to the terminal, and at the end. */
void progress_clear(progress *progress);

#endif
