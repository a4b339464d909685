/* The page of a report: whole, and whatever the data hold, its own scripts and no others. cli/test_report.py looks
 * at the data, and at what a browser makes of them. */
#include "../check.h"
#include "../scratch.h"
#include "run_tables.h"

#include "programs/timeline/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char folder[SCRATCH_PATH];
static char path[SCRATCH_PATH + 32];

static void make_folder(void) {
    scratch_make(folder);
    snprintf(path, sizeof path, "%s/run.html", folder);
}

static void remove_folder(void) {
    scratch_remove(folder);
}

TestSuite(report, .timeout = TEST_SECONDS, .init = make_folder, .fini = remove_folder);

/* The caller frees it. */
static char *page_of(const char *kind) {
    run_table table;
    run_table_of_kind(&table, kind);
    cr_assert(report_write(&table, path), "%s: %s", kind, strerror(errno));
    run_table_free(&table);
    FILE *file = fopen(path, "r");
    char *page = NULL;
    size_t size = 0;
    cr_assert(file != NULL && getdelim(&page, &size, '\0', file) > 0);
    fclose(file);
    return page;
}

static size_t occurrences(const char *text, const char *part) {
    size_t count = 0;
    for (; (text = strstr(text, part)) != NULL; text += strlen(part)) {
        count++;
    }
    return count;
}

static void expect_in(const char *page, const char *part) {
    cr_assert(strstr(page, part) != NULL, "there is no %s", part);
}

Test(report, is_whole) {
    for (size_t i = 0; i < RUN_TABLE_KINDS_COUNT; i++) {
        char *page = page_of(RUN_TABLE_KINDS[i].name), names[100];
        cr_assert(strncmp(page, "<!DOCTYPE html>\n", 16) == 0, "%s", RUN_TABLE_KINDS[i].name);
        cr_assert_str_eq(page + strlen(page) - strlen("</html>\n"), "</html>\n");
        EXPECT_EQ(occurrences(page, "\"runs\":{\"count\":"), 1);
        EXPECT_EQ(occurrences(page, "a sample"), 0);
        cr_assert_str_eq(scratch_list(folder, names, sizeof names), "run.html");
        free(page);
    }
}

Test(report, nothing_breaks_out) {
    static const char *const PARTS[] = {"<", ">", "<script", "</script", "<!--", "-->", "&"};
    char *harmless = page_of("empty"), *hostile = page_of("hostile");
    for (size_t i = 0; i < COUNT_OF(PARTS); i++) {
        EXPECT_EQ(occurrences(hostile, PARTS[i]), occurrences(harmless, PARTS[i]));
    }
    expect_in(hostile, "\\u003c/script\\u003e\\u003cscript\\u003ehostile()");
    free(harmless);
    free(hostile);
}

Test(report, says_how_runs_ended) {
    char *page = page_of("failures");
    expect_in(page, "killed by signal 9 (SIGKILL)");
    expect_in(page, "killed by signal 11 (SIGSEGV)");
    expect_in(page, "exited with status 3");
    expect_in(page, "error: Cannot allocate memory");
    free(page);
}

Test(report, says_what_is_left_out) {
    char *page = page_of("left_out");
    expect_in(page, "\"runs\":{\"count\":7,");
    expect_in(page, "\"leftOut\":13}");
    expect_in(page, "\"noMemory\":true");
    free(page);
}

Test(report, a_column_of_one_value_is_that_value) {
    char *page = page_of("primes");
    expect_in(page, "\n\"items\":1,\n");
    expect_in(page, "\n\"attempt\":1,\n");
    expect_in(page, "\n\"firstByte\":null,\n");
    expect_in(page, "\n\"item\":[0,");
    free(page);
}

Test(report, tells_why_it_cannot_be_written) {
    run_table table;
    run_table_of_kind(&table, "one");
    cr_assert(!report_write(&table, "/dev/full"));
    EXPECT_EQ(errno, ENOSPC);
    cr_assert(!report_write(&table, folder));
    EXPECT_EQ(errno, EISDIR);
    run_table_free(&table);
}
