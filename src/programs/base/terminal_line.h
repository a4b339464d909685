/* One line at the bottom of the terminal that stderr is, drawn over and over; nothing where it is none. */
#ifndef PROGRAMS_TERMINAL_LINE_H
#define PROGRAMS_TERMINAL_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct terminal_line {
    bool shown;      /* at all */
    bool is_dumb;    /* a terminal without escape sequences (TERM=dumb) */
    bool is_unicode; /* has more than ASCII: neither dumb nor in a locale without UTF-8 */
    size_t drawn;    /* columns that are there now; 0 = none */
    int64_t drawn_ns;
} terminal_line;

void terminal_line_begin(terminal_line *line, bool wanted);

/* Whether to draw it now: shown at all, and drawn ten times a second at most. */
bool terminal_line_is_due(const terminal_line *line, int64_t now_ns);

/* Columns that a text may take, 1 at least: the last one stays free, since a line that fills it would move
 * on to the next. Asked anew each time, for windows change. */
size_t terminal_line_width(void);

/* In place of what is there; not empty, and no wider than terminal_line_width(). */
void terminal_line_draw(terminal_line *line, const char *text, int64_t now_ns);

void terminal_line_clear(terminal_line *line); /* makes room for something else */
void terminal_line_end(terminal_line *line);   /* leaves it there, and goes to the next line */

/* Writes whole lines to stderr, terminal or not, from any thread; a line that is drawn there makes way, and is back
 * when it is drawn again. */
void terminal_line_make_way(const char *text, size_t length);

#endif
