/* Files that appear whole or not at all, and text that may stand in a page. */
#include "../check.h"
#include "../scratch.h"

#include "programs/timeline/json_text.h"
#include "programs/timeline/whole_file.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[SCRATCH_PATH];
static char path[SCRATCH_PATH + 32];

static void make_folder(void) {
    scratch_make(folder);
    snprintf(path, sizeof path, "%s/page", folder);
}

static void remove_folder(void) {
    scratch_remove(folder);
}

TestSuite(whole_file, .timeout = TEST_SECONDS, .init = make_folder, .fini = remove_folder);

static bool write_page(const char *to, const char *text) {
    whole_file file;
    whole_file_open(&file, to);
    whole_file_text(&file, text);
    return whole_file_close(&file);
}

static void expect_names(const char *wanted) {
    char names[200];
    cr_assert_str_eq(scratch_list(folder, names, sizeof names), wanted);
}

static bool holds(const char *text) {
    return scratch_holds(folder, "page", text, strlen(text));
}

Test(whole_file, appears_at_the_end) {
    whole_file file;
    whole_file_open(&file, path);
    whole_file_text(&file, "all of it");
    cr_assert(access(path, F_OK) != 0);
    cr_assert(whole_file_close(&file));
    cr_assert(holds("all of it"));
    expect_names("page");
}

Test(whole_file, replaces_what_was_there) {
    cr_assert(scratch_write(folder, "page", "what was there", 14));
    cr_assert_eq(chmod(path, 0640), 0);
    cr_assert(write_page(path, "new"));
    cr_assert(holds("new"));
    struct stat status;
    cr_assert_eq(stat(path, &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0640);
    expect_names("page");
}

/* More than the buffer takes, in pieces of every size. */
Test(whole_file, any_length) {
    static char text[300000];
    memset(text, 'x', sizeof text);
    whole_file file;
    whole_file_open(&file, path);
    size_t written = 0;
    for (size_t piece = 1; written + piece <= sizeof text; piece += piece / 3 + 1) {
        whole_file_write(&file, text, piece);
        written += piece;
    }
    cr_assert_gt(written, sizeof file.buffer);
    cr_assert(whole_file_close(&file));
    cr_assert(scratch_holds(folder, "page", text, written));
}

/* What was there stays, and nothing else is left. */
Test(whole_file, no_room) {
    static const struct rlimit SMALL = {100000, RLIM_INFINITY};
    static char text[200000];
    memset(text, 'x', sizeof text - 1);
    cr_assert(scratch_write(folder, "page", "what was there", 14));
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &SMALL), 0);
    errno = 0;
    cr_assert(!write_page(path, text));
    EXPECT_EQ(errno, EFBIG);
    cr_assert(holds("what was there"));
    expect_names("page");
}

Test(whole_file, no_such_folder) {
    char inside[SCRATCH_PATH + 64];
    snprintf(inside, sizeof inside, "%s/none/page", folder);
    cr_assert(!write_page(inside, "text"));
    EXPECT_EQ(errno, ENOENT);
    cr_assert(!write_page("", "text"));
    EXPECT_EQ(errno, ENOENT);
    cr_assert(!write_page(folder, "text"));
    EXPECT_EQ(errno, EISDIR);
}

Test(whole_file, devices_and_links_are_written_in_place) {
    char link[SCRATCH_PATH + 32];
    snprintf(link, sizeof link, "%s/link", folder);
    cr_assert_eq(symlink("page", link), 0);
    cr_assert(write_page(link, "through the link"));
    cr_assert(holds("through the link"));
    expect_names("link page");
    cr_assert(write_page("/dev/null", "text"));
    cr_assert(!write_page("/dev/full", "text"));
    EXPECT_EQ(errno, ENOSPC);
}

Test(whole_file, numbers) {
    static const int64_t NUMBERS[] = {0,        1,   -1,        9,         10,           -10,
                                      99999999, 100, INT64_MAX, INT64_MIN, INT64_MIN + 1};
    char wanted[400] = "";
    whole_file file;
    whole_file_open(&file, path);
    for (size_t i = 0; i < COUNT_OF(NUMBERS); i++) {
        whole_file_number(&file, NUMBERS[i]);
        whole_file_text(&file, " ");
        snprintf(wanted + strlen(wanted), sizeof wanted - strlen(wanted), "%" PRId64 " ",
                 NUMBERS[i]);
    }
    cr_assert(whole_file_close(&file));
    cr_assert(holds(wanted), "not %s", wanted);
}

/* ---- text ------------------------------------------------------------------------------------ */

static void expect_json(const char *text, size_t size, const char *wanted) {
    whole_file file;
    whole_file_open(&file, path);
    json_text_write(&file, text, size);
    cr_assert(whole_file_close(&file));
    cr_assert(holds(wanted), "'%s' is not written as %s", text, wanted);
}

Test(whole_file, text_as_json) {
    static const struct {
        const char *text, *wanted;
    } TEXTS[] = {
        {"", "\"\""},
        {"BR", "\"BR\""},
        {"\"\\/", "\"\\u0022\\u005c/\""},
        {"</script>", "\"\\u003c/script\\u003e\""},
        {"<!--&", "\"\\u003c!--\\u0026\""},
        {"\x01\n\x1f\x7f", "\"\\u0001\\u000a\\u001f\\u007f\""},
        {"\xc2\x85", "\"\\u0085\""},
        {"\xe2\x80\xa8\xe2\x80\xa9", "\"\\u2028\\u2029\""},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x87\xa7\xf4\x8f\xbf\xbf",
         "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x87\xa7\xf4\x8f\xbf\xbf\""},
        {"\xff|\x80|\xc3", "\"\\ufffd|\\ufffd|\\ufffd\""},
        {"\xc0\xaf", "\"\\ufffd\\ufffd\""},                       /* longer than it need be */
        {"\xe0\x80\xaf", "\"\\ufffd\\ufffd\\ufffd\""},            /* likewise */
        {"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""},            /* half a pair of UTF-16 */
        {"\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""}, /* above U+10FFFF */
        {"\xe2\x82<", "\"\\ufffd\\ufffd\\u003c\""},               /* nothing is swallowed */
    };
    for (size_t i = 0; i < COUNT_OF(TEXTS); i++) {
        expect_json(TEXTS[i].text, SIZE_MAX, TEXTS[i].wanted);
    }
    expect_json(NULL, SIZE_MAX, "\"\"");
    expect_json("abcdef", 3, "\"abc\"");
    expect_json("\xe2\x82\xac", 2, "\"\\ufffd\\ufffd\"");
}
