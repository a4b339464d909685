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
static const char *format_cells(progress_bar_cells cells, size_t width, size_t done, size_t total,
                                int64_t elapsed_ns) {
    const size_t size = 4 * width + 1;
    memset(drawn, 'x', sizeof drawn);
    progress_bar_format(drawn, size, width, cells, done, total, elapsed_ns);
    cr_assert(memchr(drawn, '\0', size) != NULL, "not terminated at width %zu", width);
    cr_assert(drawn[size] == 'x', "more than its room at width %zu", width);
    return drawn;
}

static const char *format(size_t width, size_t done, size_t total, int64_t elapsed_ns) {
    return format_cells(CELLS_UNICODE, width, done, total, elapsed_ns);
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

static void expect_ascii(size_t done, size_t total, int64_t elapsed_ns, const char *wanted) {
    cr_assert_str_eq(format_cells(CELLS_ASCII, strlen(wanted), done, total, elapsed_ns), wanted);
}

Test(progress_bar, as_tqdm_has_it_in_ascii) {
    expect_ascii(7, 20, 1250 * MILLISECOND, " 35%|###5      | 7/20 [00:01<00:02,  5.60it/s]");
    expect_ascii(1, 12, 4 * SECOND, "  8%|8         | 1/12 [00:04<00:44,  4.00s/it]");
    expect_ascii(20, 20, 2500 * MILLISECOND, "100%|##########| 20/20 [00:02<00:00,  8.00it/s]");
    expect_ascii(0, 20, 0, "  0%|          | 0/20 [00:00<?, ?it/s]");
}

/* Nine full cells, and each state of the tenth. */
Test(progress_bar, every_tenth_of_a_column_in_ascii) {
    for (size_t part = 0; part <= 10; part++) {
        char wanted[100];
        snprintf(wanted, sizeof wanted, "%3zu%%|#########%c| %zu/100", 90 + part,
                 " 123456789#"[part], 90 + part);
        expect_ascii(90 + part, 100, SECOND, wanted);
    }
}

Test(progress_bar, every_eighth_of_a_column) {
    static const char *const CELLS[] = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"};
    for (size_t part = 0; part <= 8; part++) {
        char wanted[100];
        snprintf(wanted, sizeof wanted, "%3.0f%%|█████████%s| %zu/80",
                 (double)(100 * (72 + part)) / 80, CELLS[part], 72 + part);
        expect_text(72 + part, 80, SECOND, wanted);
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

Test(progress_bar, drops_fields_before_cells) {
    static const char *const WANTED[] = {
        " 35%|###5      | 7/20 [00:01<00:02,  5.60it/s]", /* 46 columns: ten cells and all fields */
        " 35%|#######             | 7/20 [00:01<00:02]",
        " 35%|###5      | 7/20 [00:01<00:02]", /* 35 */
        " 35%|#######3             | 7/20",
        " 35%|###5      | 7/20", /* 21 */
        " 35%|####9         |",
        " 35%|###5      |", /* 16 */
        " 35%|3|",
        " 35%||",
        " 35%",
        " ",
    };
    for (size_t i = 0; i < COUNT_OF(WANTED); i++) {
        expect_ascii(7, 20, 1250 * MILLISECOND, WANTED[i]);
    }
}

/* The bar takes the room that is left: ten cells, unless that is too much beside the share. */
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
                    if (width >= 6) {
                        const char *cells = strchr(text, '|') + 1, *end = strchr(cells, '|');
                        char bar[4 * WIDEST];
                        snprintf(bar, sizeof bar, "%.*s", (int)(end - cells), cells);
                        cr_assert_geq(columns(bar), width < 16 ? width - 6 : 10, "%s", text);
                    }
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
