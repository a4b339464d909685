/* How many of so many are done, in the manner of Python's tqdm, on the terminal that stderr is:
 *
 *      35%|███▌      | 7/20 [00:01<00:02,  5.60it/s]
 */
#ifndef PROGRAMS_PROGRESS_BAR_H
#define PROGRAMS_PROGRESS_BAR_H

#include "programs/base/terminal_line.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct progress_bar {
    terminal_line line;
    size_t total;
    int64_t begun_ns;
} progress_bar;

void progress_bar_begin(progress_bar *bar, bool wanted, size_t total);
void progress_bar_show(progress_bar *bar, size_t done); /* ten times a second at most */
void progress_bar_end(progress_bar *bar, size_t done);  /* stays as it is then */

/* The text, no wider than `width` columns, and always terminated; `size` is at least 4 * width + 1. */
void progress_bar_format(char *text, size_t size, size_t width, size_t done, size_t total,
                         int64_t elapsed_ns);

#endif
