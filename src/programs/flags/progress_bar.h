/* How many of so many are done, in the manner of Python's tqdm, on the terminal that stderr is:
 *
 *      35%|███▌      | 7/20 [00:01<00:02,  5.60it/s]
 *      35%|###5      | 7/20 [00:01<00:02,  5.60it/s]       where there is only ASCII
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

typedef enum progress_bar_cells {
    CELLS_ASCII,
    CELLS_UNICODE,
} progress_bar_cells;

/* The text, `width` columns wide, and always terminated; `size` is at least 4 * width + 1. Where there is no room
 * for ten cells beside all fields, the rate goes first, then the times, then the counts. */
void progress_bar_format(char *text, size_t size, size_t width, progress_bar_cells cells,
                         size_t done, size_t total, int64_t elapsed_ns);

#endif
