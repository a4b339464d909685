#include "programs/base/progress.h"

#include "platform/clock.h"
#include "programs/base/seconds.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SAMPLE_NS   INT64_C(1000000000)
#define PATIENCE_NS INT64_C(100000000)

void progress_begin(progress *p, bool wanted, const char *unit) {
    *p = (progress){.unit = unit};
    terminal_line_begin(&p->line, wanted);
    p->begun_ns = p->line.drawn_ns = plat_now_ns();
    progress_sample_at(p, 0, 0, p->begun_ns);
}

void progress_resume(progress *p, uint64_t done, double share) {
    p->samples[0].done = done;
    p->samples[0].share = share;
}

/* ---- samples --------------------------------------------------------------------------------- */

void progress_sample_at(progress *p, uint64_t done, double share, int64_t now_ns) {
    const size_t count = p->samples_count;
    if (count == 0 || now_ns - p->samples[(count - 1) % PROGRESS_SAMPLES].at_ns >= SAMPLE_NS) {
        p->samples[count % PROGRESS_SAMPLES] = (progress_sample){now_ns, done, share};
        p->samples_count++;
    }
}

static const progress_sample *oldest(const progress *p) {
    const size_t count = p->samples_count;
    return &p->samples[count > PROGRESS_SAMPLES ? count % PROGRESS_SAMPLES : 0];
}

/* ---- the text -------------------------------------------------------------------------------- */

/* What a rate is told in: a number between 1 and 1000 of them where that is possible. */
static void format_rate(char *text, size_t size, double a_second) {
    if (a_second >= 1e6) {
        snprintf(text, size, "%.2f million/s", a_second / 1e6);
    } else if (a_second >= 1e3) {
        snprintf(text, size, "%.2f thousand/s", a_second / 1e3);
    } else {
        snprintf(text, size, "%.2f/s", a_second);
    }
}

/* "59 s", "1:05", "2:01:05" */
static void format_duration(char *text, size_t size, double duration) {
    const unsigned long whole = (unsigned long)duration;
    if (whole < 60) {
        snprintf(text, size, "%lu s", whole);
    } else if (whole < 3600) {
        snprintf(text, size, "%lu:%02lu", whole / 60, whole % 60);
    } else {
        snprintf(text, size, "%lu:%02lu:%02lu", whole / 3600, whole / 60 % 60, whole % 60);
    }
}

#define LEFT_MOST 1e7 /* seconds; nobody waits for longer, and such a figure is a guess */

/* False: not known. */
static bool time_left(const progress *p, double share, int64_t now_ns, double *left) {
    const progress_sample *then = oldest(p);
    const double gained = share - then->share;
    if (share < 0 || then->share < 0 || gained <= 0 || now_ns - p->begun_ns < SAMPLE_NS) {
        return false;
    }
    *left = (1 - share) / gained * seconds(now_ns - then->at_ns);
    return *left >= 0 && *left < LEFT_MOST;
}

void progress_format(const progress *p, uint64_t done, double share, int64_t now_ns,
                     char text[PROGRESS_TEXT_MOST]) {
    char percent[32] = "", rate[48], passed[32], left[48] = "";
    const progress_sample *then = oldest(p);
    const int64_t span_ns = now_ns - then->at_ns;
    double left_s;
    if (share >= 0) {
        snprintf(percent, sizeof percent, "%3.0f %%  ", 100 * (share < 1 ? share : 1));
    }
    format_rate(rate, sizeof rate,
                span_ns > 0 ? (double)(done - then->done) / seconds(span_ns) : 0);
    format_duration(passed, sizeof passed, seconds(now_ns - p->begun_ns));
    if (time_left(p, share, now_ns, &left_s)) {
        char duration[32];
        format_duration(duration, sizeof duration, left_s + 0.5);
        snprintf(left, sizeof left, "  %s left", duration);
    }
    snprintf(text, PROGRESS_TEXT_MOST, "%s%" PRIu64 " %s  %s  %s%s", percent, done, p->unit, rate,
             passed, left);
}

/* ---- the terminal ---------------------------------------------------------------------------- */

void progress_show(progress *p, uint64_t done, double share) {
    if (!p->line.shown) {
        return;
    }
    const int64_t now_ns = plat_now_ns();
    progress_sample_at(p, done, share, now_ns);
    if (!terminal_line_is_due(&p->line, now_ns)) {
        return;
    }
    char text[PROGRESS_TEXT_MOST];
    const size_t width = terminal_line_width();
    progress_format(p, done, share, now_ns, text);
    if (width < sizeof text) {
        text[width] = '\0';
    }
    terminal_line_draw(&p->line, text, now_ns);
}

void progress_clear(progress *p) {
    terminal_line_clear(&p->line);
}

int64_t progress_patience_ns(const progress *p) {
    return p->line.shown ? PATIENCE_NS : -1;
}
