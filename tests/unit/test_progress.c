/* The line of --progress: a rate and a time left that follow what was done last, and nothing that is not known. */
#include "../check.h"

#include "programs/base/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

TestSuite(progress, .timeout = TEST_SECONDS);

static progress begun_at_0(const char *unit) {
    progress p = {.unit = unit};
    progress_sample_at(&p, 0, 0, 0);
    return p;
}

static const char *format(const progress *p, uint64_t done, double share, int64_t now_ns) {
    static char text[PROGRESS_TEXT_MOST];
    memset(text, 'x', sizeof text);
    progress_format(p, done, share, now_ns, text);
    cr_assert(memchr(text, '\0', sizeof text) != NULL);
    return text;
}

Test(progress, nothing_but_what_is_known) {
    const progress p = begun_at_0("numbers");
    cr_assert_str_eq(format(&p, 0, PROGRESS_UNKNOWN, 0), "0 numbers  0.00/s  0 s");
    cr_assert_str_eq(format(&p, 7, PROGRESS_UNKNOWN, 2 * SECOND), "7 numbers  3.50/s  2 s");
    cr_assert_str_eq(format(&p, 0, 0, 3 * SECOND), "  0 %  0 numbers  0.00/s  3 s");
    /* a moment after the beginning nobody can tell how long it takes */
    cr_assert_str_eq(format(&p, 7, 0.5, SECOND / 2), " 50 %  7 numbers  14.00/s  0 s");
    cr_assert_str_eq(format(&p, 7, 0.5, 2 * SECOND), " 50 %  7 numbers  3.50/s  2 s  2 s left");
}

Test(progress, units) {
    const progress p = begun_at_0("primes");
    cr_assert_str_eq(format(&p, 12345, 1, 10 * SECOND),
                     "100 %  12345 primes  1.23 thousand/s  10 s  0 s left");
    cr_assert_str_eq(format(&p, 250000000, 0.1, 100 * SECOND),
                     " 10 %  250000000 primes  2.50 million/s  1:40  15:00 left");
    cr_assert_str_eq(format(&p, 1, 0.01, 3600 * SECOND),
                     "  1 %  1 primes  0.00/s  1:00:00  99:00:00 left");
    /* no more than all is done, whatever the share says */
    cr_assert_str_eq(format(&p, 10, 1.5, 2 * SECOND), "100 %  10 primes  5.00/s  2 s");
    /* what would take years is not told */
    cr_assert_str_eq(format(&p, 1, 1e-9, 10 * SECOND), "  0 %  1 primes  0.10/s  10 s");
}

/* A run of `seconds`, of which each second does `each` of `all`. */
static void run(progress *p, int64_t *now_s, uint64_t *done, int seconds, uint64_t each,
                double all) {
    for (int i = 0; i < seconds; i++) {
        *done += each;
        ++*now_s;
        progress_sample_at(p, *done, (double)*done / all, *now_s * SECOND);
    }
}

/* Steady: the time left falls by a second each second. */
Test(progress, steady) {
    progress p = begun_at_0("numbers");
    int64_t now_s = 0;
    uint64_t done = 0;
    while (now_s < 99) {
        char expected[64];
        run(&p, &now_s, &done, 1, 10, 1000);
        snprintf(expected, sizeof expected, "10.00/s  ");
        const char *text = format(&p, done, (double)done / 1000, now_s * SECOND);
        cr_assert(strstr(text, expected) != NULL, "%s", text);
        const int64_t left = 100 - now_s;
        if (left < 60) {
            snprintf(expected, sizeof expected, "  %" PRId64 " s left", left);
        } else {
            snprintf(expected, sizeof expected, "  1:%02" PRId64 " left", left - 60);
        }
        cr_assert(strstr(text, expected) != NULL, "%s, not%s", text, expected);
    }
}

/* After 20 slow seconds nothing is left of the fast minute before; while nothing is done, nothing is promised. */
Test(progress, follows_the_run) {
    progress p = begun_at_0("numbers");
    int64_t now_s = 0;
    uint64_t done = 0;
    run(&p, &now_s, &done, 60, 1000, 100000);
    run(&p, &now_s, &done, 20, 10, 100000);
    cr_assert_str_eq(format(&p, done, (double)done / 100000, now_s * SECOND),
                     " 60 %  60200 numbers  10.00/s  1:20  1:06:20 left");
    run(&p, &now_s, &done, 20, 0, 100000);
    cr_assert_str_eq(format(&p, done, (double)done / 100000, now_s * SECOND),
                     " 60 %  60200 numbers  0.00/s  1:40");
}

/* One second's luck moves the figure by a part only. */
Test(progress, smooth) {
    progress p = begun_at_0("numbers");
    int64_t now_s = 0;
    uint64_t done = 0;
    run(&p, &now_s, &done, 30, 15, 100000);
    run(&p, &now_s, &done, 1, 45, 100000);
    cr_assert_str_eq(format(&p, done, PROGRESS_UNKNOWN, now_s * SECOND),
                     "495 numbers  17.00/s  31 s");
}

/* Samples that come more often than once a second are not all kept: the window stays as long. */
Test(progress, many_results_a_second) {
    progress p = begun_at_0("numbers");
    for (int64_t ms = 1; ms <= 30000; ms++) {
        progress_sample_at(&p, (uint64_t)ms, PROGRESS_UNKNOWN, ms * MILLISECOND);
    }
    cr_assert_lt(p.samples_count, 32);
    cr_assert_str_eq(format(&p, 30000, PROGRESS_UNKNOWN, 30 * SECOND),
                     "30000 numbers  1.00 thousand/s  30 s");
}

/* A run that goes on from an earlier one counts what that has done, and takes no credit for it. */
Test(progress, resumed) {
    progress p = begun_at_0("numbers");
    progress_resume(&p, 1000, 0.5);
    cr_assert_str_eq(format(&p, 1020, 0.51, 2 * SECOND),
                     " 51 %  1020 numbers  10.00/s  2 s  1:38 left");
}
