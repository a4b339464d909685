/* The text of the progress bar, against tqdm's. */
#include "../check.h"

#include "programs/flags/progress_bar.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

TestSuite(progress_bar, .timeout = TEST_SECONDS);

enum {
    WIDEST = 200
};

static char drawn[4 * WIDEST + 2];

/* Fails unless it is terminated within its room, which ends where a byte more would be seen. */
static const char *format(size_t width, size_t done, size_t total, int64_t elapsed_ns) {
    const size_t size = 4 * width + 1;
    memset(drawn, 'x', sizeof drawn);
    progress_bar_format(drawn, size, width, done, total, elapsed_ns);
    cr_assert(memchr(drawn, '\0', size) != NULL, "not terminated at width %zu", width);
    cr_assert(drawn[size] == 'x', "more than its room at width %zu", width);
    return drawn;
}

static size_t columns(const char *text) {
    size_t count = 0;
    for (; *text != '\0'; text++) {
        count += ((unsigned char)*text & 0xc0) != 0x80; /* not inside a character */
    }
    return count;
}

/* ---- exactly --------------------------------------------------------------------------------- */

static void expect_text(size_t done, size_t total, int64_t elapsed_ns, const char *wanted) {
    cr_assert_str_eq(format(columns(wanted), done, total, elapsed_ns), wanted);
}

/* With the ten columns that tqdm's bar has where there is no terminal. */
Test(progress_bar, as_tqdm_has_it) {
    expect_text(7, 20, 1250 * MILLISECOND, " 35%|███▌      | 7/20 [00:01<00:02,  5.60it/s]");
    expect_text(1, 12, 4 * SECOND, "  8%|▊         | 1/12 [00:04<00:44,  4.00s/it]");
    expect_text(20, 20, 2500 * MILLISECOND, "100%|██████████| 20/20 [00:02<00:00,  8.00it/s]");
    expect_text(0, 20, 0, "  0%|          | 0/20 [00:00<?, ?it/s]");
    expect_text(0, 20, 3 * SECOND, "  0%|          | 0/20 [00:03<?, ?it/s]");
}

Test(progress_bar, every_eighth_of_a_column) {
    static const char *const CELLS[] = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"};
    for (size_t done = 0; done <= 8; done++) {
        char wanted[100];
        const char *numbers = strrchr(format(WIDEST, done, 8, SECOND), '|');
        snprintf(wanted, sizeof wanted, "%3.0f%%|%s%s", (double)(100 * done) / 8, CELLS[done],
                 numbers);
        expect_text(done, 8, SECOND, wanted);
    }
}

Test(progress_bar, is_full_at_the_end_only) {
    for (size_t total = 1; total <= 676; total += 25) {
        for (size_t done = 0; done <= total; done++) {
            const char *text = format(100, done, total, SECOND);
            cr_assert((strstr(text, "█|") != NULL) == (done == total), "%s", text);
        }
    }
}

Test(progress_bar, long_times) {
    static const struct {
        int64_t elapsed_s;
        size_t done, total;
        const char *wanted;
    } TIMES[] = {
        {59, 59, 118, "[00:59<00:59,  1.00it/s]"},
        {60, 30, 60, "[01:00<01:00,  2.00s/it]"},
        {3599, 1, 2, "[59:59<59:59, 3599.00s/it]"},
        {3600, 1, 2, "[1:00:00<1:00:00, 3600.00s/it]"},
        {36000, 5, 676, "[10:00:00<1342:00:00, 7200.00s/it]"},
        {1, 500, 676, "[00:01<00:00, 500.00it/s]"},
        {100, 50, 50, "[01:40<00:00,  2.00s/it]"},
    };
    for (size_t i = 0; i < COUNT_OF(TIMES); i++) {
        const char *text =
            format(WIDEST, TIMES[i].done, TIMES[i].total, TIMES[i].elapsed_s * SECOND);
        cr_assert(strstr(text, TIMES[i].wanted) != NULL, "%s", text);
    }
}

Test(progress_bar, nothing_to_do) {
    expect_text(0, 0, 0, "100%|          | 0/0 [00:00<?, ?it/s]");
}

/* ---- at every width -------------------------------------------------------------------------- */

/* The bar takes the room that is left. Without any the numbers go on as far as they can. */
Test(progress_bar, fills_every_width) {
    static const size_t TOTALS[] = {0, 1, 3, 20, 194, 676};
    static const int64_t TIMES[] = {
        0, 1, MILLISECOND, SECOND, 61 * SECOND, 3601 * SECOND, 360000 * SECOND};
    for (size_t width = 1; width <= WIDEST; width++) {
        for (size_t i = 0; i < COUNT_OF(TOTALS); i++) {
            for (size_t done = 0; done <= TOTALS[i]; done += 1 + TOTALS[i] / 9) {
                for (size_t t = 0; t < COUNT_OF(TIMES); t++) {
                    const char *text = format(width, done, TOTALS[i], TIMES[t]);
                    EXPECT_EQ(columns(text), width);
                    const bool is_whole = text[strlen(text) - 1] == ']';
                    cr_assert(is_whole || width < 8 || strstr(text, "%|| ") != NULL, "%s", text);
                }
            }
        }
    }
}

/* ---- what is no terminal --------------------------------------------------------------------- */

Test(progress_bar, silent_where_there_is_no_terminal) {
    char captured[64];
    int ends[2];
    cr_assert(pipe(ends) == 0 && dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
    close(ends[1]);
    progress_bar bar;
    progress_bar_begin(&bar, true, 20);
    progress_bar_show(&bar, 7);
    progress_bar_end(&bar, 20);
    close(STDERR_FILENO);
    EXPECT_EQ(read(ends[0], captured, sizeof captured), 0);
    close(ends[0]);
}
