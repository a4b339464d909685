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

static void format_numbers(char *text, size_t size, size_t done, size_t total, double passed) {
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
    snprintf(text, size, "| %zu/%zu [%s<%s, %s]", done, total, elapsed, left, rate);
}

/* `cells` columns of which done/total are full, to an eighth of a column. */
static char *draw_cells(char *text, size_t cells, size_t done, size_t total) {
    static const char *const EIGHTHS[] = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"};
    const size_t full = total == 0 ? 0 : cells * 8 * done / total;
    for (size_t i = 0; i < cells; i++) {
        const size_t here = full > 8 * i ? full - 8 * i : 0;
        text = stpcpy(text, EIGHTHS[here > 8 ? 8 : here]);
    }
    return text;
}

void progress_bar_format(char *text, size_t size, size_t width, size_t done, size_t total,
                         int64_t elapsed_ns) {
    char percent[8], numbers[160];
    const double share = total == 0 ? 100 : 100 * (double)done / (double)total;
    snprintf(percent, sizeof percent, "%3.0f%%|", share);
    format_numbers(numbers, sizeof numbers, done, total, seconds(elapsed_ns));
    const size_t letters = strlen(percent) + strlen(numbers);
    if (width < letters + 1) { /* no room for a bar */
        snprintf(text, width + 1 < size ? width + 1 : size, "%s%s", percent, numbers);
        return;
    }
    char *end = stpcpy(text, percent);
    end = draw_cells(end, width - letters, done, total);
    memcpy(end, numbers, strlen(numbers) + 1);
}

/* ---- the terminal ---------------------------------------------------------------------------- */

static void draw(progress_bar *bar, size_t done, int64_t now_ns) {
    char text[4 * WIDEST + 1];
    const size_t width = terminal_line_width();
    progress_bar_format(text, sizeof text, width < WIDEST ? width : WIDEST, done, bar->total,
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
