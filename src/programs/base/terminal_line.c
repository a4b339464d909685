#include "programs/base/terminal_line.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define INTERVAL_NS 100000000
#define CLEAR       "\r\033[K"

void terminal_line_begin(terminal_line *line, bool wanted) {
    *line = (terminal_line){.shown = wanted && isatty(STDERR_FILENO), .drawn_ns = -INTERVAL_NS};
}

bool terminal_line_is_due(const terminal_line *line, int64_t now_ns) {
    return line->shown && now_ns - line->drawn_ns >= INTERVAL_NS;
}

size_t terminal_line_width(void) {
    struct winsize window;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_col == 0) {
        return 79;
    }
    return window.ws_col > 1 ? window.ws_col - 1u : 1;
}

void terminal_line_draw(terminal_line *line, const char *text, int64_t now_ns) {
    dprintf(STDERR_FILENO, CLEAR "%s", text);
    line->drawn = true;
    line->drawn_ns = now_ns;
}

void terminal_line_clear(terminal_line *line) {
    if (line->drawn) {
        dprintf(STDERR_FILENO, CLEAR);
        line->drawn = false;
    }
}

void terminal_line_end(terminal_line *line) {
    if (line->drawn) {
        dprintf(STDERR_FILENO, "\n");
        line->drawn = false;
    }
}
