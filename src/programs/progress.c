#include "programs/progress.h"

#include "programs/monotonic.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define INTERVAL_NS 100000000
#define CLEAR       "\r\033[K"

void progress_begin(progress *p, bool wanted) {
    *p = (progress){.shown = wanted && isatty(STDERR_FILENO), .begun_ns = monotonic_ns()};
    p->drawn_ns = p->begun_ns;
}

/* The last column stays free: a line that fills it would move on to the next. */
static size_t width(void) {
    struct winsize window;
    const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 1;
    return known ? window.ws_col - 1u : 79;
}

void progress_show(progress *p, uint64_t numbers, uint64_t taken, uint64_t size) {
    const int64_t now_ns = monotonic_ns();
    if (!p->shown || now_ns - p->drawn_ns < INTERVAL_NS) {
        return;
    }
    p->drawn_ns = now_ns;
    char line[160], share[32] = "";
    const double passed = seconds(now_ns - p->begun_ns);
    if (size > 0) {
        snprintf(share, sizeof share, "%3.0f %%  ", 100.0 * (double)taken / (double)size);
    }
    snprintf(line, sizeof line, "%s%" PRIu64 " numbers  %.2f million/s  %.0f s", share, numbers,
             (double)numbers / passed / 1e6, passed);
    dprintf(STDERR_FILENO, CLEAR "%.*s", (int)width(), line);
    p->drawn = true;
}

void progress_clear(progress *p) {
    if (p->drawn) {
        dprintf(STDERR_FILENO, CLEAR);
        p->drawn = false;
    }
}
