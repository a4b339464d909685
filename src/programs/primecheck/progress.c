#include "programs/primecheck/progress.h"

#include "platform/clock.h"
#include "programs/base/seconds.h"

#include <inttypes.h>
#include <stdio.h>

void progress_begin(progress *p, bool wanted) {
    terminal_line_begin(&p->line, wanted);
    p->begun_ns = p->line.drawn_ns = plat_now_ns();
}

void progress_show(progress *p, uint64_t numbers, uint64_t taken, uint64_t size) {
    const int64_t now_ns = plat_now_ns();
    if (!terminal_line_is_due(&p->line, now_ns)) {
        return;
    }
    char text[160], share[32] = "";
    const double passed = seconds(now_ns - p->begun_ns);
    if (size > 0) {
        snprintf(share, sizeof share, "%3.0f %%  ", 100.0 * (double)taken / (double)size);
    }
    const size_t room = terminal_line_width() + 1;
    snprintf(text, room < sizeof text ? room : sizeof text,
             "%s%" PRIu64 " numbers  %.2f million/s  %.0f s", share, numbers,
             (double)numbers / passed / 1e6, passed);
    terminal_line_draw(&p->line, text, now_ns);
}

void progress_clear(progress *p) {
    terminal_line_clear(&p->line);
}
