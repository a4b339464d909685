#define _GNU_SOURCE /* newlocale */
#include "programs/base/terminal_line.h"

#include <langinfo.h>
#include <locale.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define INTERVAL_NS 100000000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static terminal_line *drawn_now; /* NULL = none; with the lock held */

static bool is_dumb(void) {
    const char *terminal = getenv("TERM");
    return terminal != NULL && strcmp(terminal, "dumb") == 0;
}

/* The user's locale, which is not the program's: that has none. */
static bool has_utf8(void) {
    const locale_t locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
    if (locale == (locale_t)0) {
        return false;
    }
    const bool utf8 = strcmp(nl_langinfo_l(CODESET, locale), "UTF-8") == 0;
    freelocale(locale);
    return utf8;
}

void terminal_line_begin(terminal_line *line, bool wanted) {
    *line = (terminal_line){
        .shown = wanted && isatty(STDERR_FILENO),
        .is_dumb = is_dumb(),
        .drawn_ns = -INTERVAL_NS,
    };
    line->is_unicode = line->shown && !line->is_dumb && has_utf8();
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

static size_t count_columns(const char *text) {
    size_t count = 0;
    for (; *text != '\0'; text++) {
        count += ((unsigned char)*text & 0xc0) != 0x80; /* not inside a character of UTF-8 */
    }
    return count;
}

/* A dumb terminal cannot clear a line: spaces cover what is longer than the text. */
static void write_over(const terminal_line *line, const char *text, size_t columns) {
    const size_t width = terminal_line_width();
    const size_t there = line->drawn < width ? line->drawn : width;
    if (!line->is_dumb) {
        dprintf(STDERR_FILENO, "\r\033[K%s", text);
    } else {
        dprintf(STDERR_FILENO, "\r%s%*s", text, (int)(there > columns ? there - columns : 0), "");
    }
}

static void clear(terminal_line *line) {
    write_over(line, "", 0);
    if (line->is_dumb) {
        dprintf(STDERR_FILENO, "\r");
    }
    line->drawn = 0;
    drawn_now = NULL;
}

void terminal_line_draw(terminal_line *line, const char *text, int64_t now_ns) {
    const size_t columns = count_columns(text);
    pthread_mutex_lock(&lock);
    write_over(line, text, columns);
    line->drawn = columns;
    line->drawn_ns = now_ns;
    drawn_now = line;
    pthread_mutex_unlock(&lock);
}

void terminal_line_clear(terminal_line *line) {
    if (!line->shown) {
        return;
    }
    pthread_mutex_lock(&lock);
    if (line->drawn > 0) {
        clear(line);
    }
    pthread_mutex_unlock(&lock);
}

void terminal_line_end(terminal_line *line) {
    if (!line->shown) {
        return;
    }
    pthread_mutex_lock(&lock);
    if (line->drawn > 0) {
        dprintf(STDERR_FILENO, "\n");
        line->drawn = 0;
    }
    drawn_now = NULL;
    pthread_mutex_unlock(&lock);
}

void terminal_line_make_way(const char *text, size_t length) {
    pthread_mutex_lock(&lock);
    if (drawn_now != NULL) {
        clear(drawn_now);
    }
    while (length > 0) {
        const ssize_t written = write(STDERR_FILENO, text, length);
        if (written <= 0) {
            break; /* nobody could be told */
        }
        text += written;
        length -= (size_t)written;
    }
    pthread_mutex_unlock(&lock);
}
