#include "programs/flags/progress_bar.h"

#include "platform/clock.h"
#include "programs/base/seconds.h"

#include <stdio.h>
#include <string.h>

#define WIDEST 1024 /* columns; a wider terminal has room beside the bar */

/* ---- the text -------------------------------------------------------------------------------- */

/* MM:SS, or H:MM:SS from an hour on. */
static void format_time(char *text, size_t size, double passed) {
    const unsigned long whole = (unsigned long)passed;
    const unsigned long hours = whole / 3600, minutes = whole / 60 % 60;
    if (hours > 0) {
        snprintf(text, size, "%lu:%02lu:%02lu", hours, minutes, whole % 60);
    } else {
        snprintf(text, size, "%02lu:%02lu", minutes, whole % 60);
    }
}

#define FIELDS_MAX 160

/* What stands behind the cells: everything, or without the rate, or without the times, or nothing. */
static void format_fields(char fields[4][FIELDS_MAX], size_t done, size_t total, double passed) {
    char elapsed[32], left[32] = "?", rate[32] = "?it/s";
    format_time(elapsed, sizeof elapsed, passed);
    if (done > 0 && passed > 0) {
        const double a_second = (double)done / passed;
        format_time(left, sizeof left, (double)(total - done) / a_second);
        if (a_second >= 1) {
            snprintf(rate, sizeof rate, "%5.2fit/s", a_second);
        } else {
            snprintf(rate, sizeof rate, "%5.2fs/it", 1 / a_second);
        }
    }
    snprintf(fields[0], FIELDS_MAX, "| %zu/%zu [%s<%s, %s]", done, total, elapsed, left, rate);
    snprintf(fields[1], FIELDS_MAX, "| %zu/%zu [%s<%s]", done, total, elapsed, left);
    snprintf(fields[2], FIELDS_MAX, "| %zu/%zu", done, total);
    snprintf(fields[3], FIELDS_MAX, "|");
}

static const struct {
    size_t parts; /* of a cell */
    const char *part[11];
} CELLS[] = {
    [CELLS_ASCII] = {10, {" ", "1", "2", "3", "4", "5", "6", "7", "8", "9", "#"}},
    [CELLS_UNICODE] = {8, {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"}},
};

/* `count` columns of which done/total are full. */
static char *draw_cells(char *text, progress_bar_cells cells, size_t count, size_t done,
                        size_t total) {
    const size_t parts = CELLS[cells].parts;
    const size_t full = total == 0 ? 0 : count * parts * done / total;
    for (size_t i = 0; i < count; i++) {
        const size_t here = full > parts * i ? full - parts * i : 0;
        text = stpcpy(text, CELLS[cells].part[here > parts ? parts : here]);
    }
    return text;
}

#define CELLS_ENOUGH 10 /* so many has tqdm where it does not know the width */

void progress_bar_format(char *text, size_t size, size_t width, progress_bar_cells cells,
                         size_t done, size_t total, int64_t elapsed_ns) {
    char percent[8], fields[4][FIELDS_MAX];
    const double share = total == 0 ? 100 : 100 * (double)done / (double)total;
    snprintf(percent, sizeof percent, "%3.0f%%|", share);
    format_fields(fields, done, total, seconds(elapsed_ns));
    size_t i = 0;
    while (i < 3 && strlen(percent) + CELLS_ENOUGH + strlen(fields[i]) > width) {
        i++;
    }
    const size_t letters = strlen(percent) + strlen(fields[i]);
    if (width <= letters) { /* no room for a bar */
        snprintf(text, width + 1 < size ? width + 1 : size, "%s%s", percent, fields[i]);
        return;
    }
    char *end = stpcpy(text, percent);
    end = draw_cells(end, cells, width - letters, done, total);
    stpcpy(end, fields[i]);
}

/* ---- the terminal ---------------------------------------------------------------------------- */

static void draw(progress_bar *bar, size_t done, int64_t now_ns) {
    char text[4 * WIDEST + 1];
    const size_t width = terminal_line_width();
    progress_bar_format(text, sizeof text, width < WIDEST ? width : WIDEST,
                        bar->line.is_unicode ? CELLS_UNICODE : CELLS_ASCII, done, bar->total,
                        now_ns - bar->begun_ns);
    terminal_line_draw(&bar->line, text, now_ns);
}

void progress_bar_begin(progress_bar *bar, bool wanted, size_t total) {
    *bar = (progress_bar){.total = total, .begun_ns = plat_now_ns()};
    terminal_line_begin(&bar->line, wanted);
    progress_bar_show(bar, 0);
}

void progress_bar_show(progress_bar *bar, size_t done) {
    const int64_t now_ns = plat_now_ns();
    if (terminal_line_is_due(&bar->line, now_ns)) {
        draw(bar, done, now_ns);
    }
}

void progress_bar_end(progress_bar *bar, size_t done) {
    if (bar->line.shown) {
        draw(bar, done, plat_now_ns());
        terminal_line_end(&bar->line);
    }
}
