/* Which texts are codes, and the lists that are made of them. */
#include "../check.h"

#include "download/country_codes.h"

#include <string.h>

TestSuite(country_codes, .timeout = TEST_SECONDS);

static const code_set EMPTY;

static bool is_letter(int c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static size_t list_all(const code_set *set, country_code codes[CODE_LIST_MAX]) {
    return code_set_list(set, codes, CODE_LIST_MAX);
}

/* Two letters A to Z each, and in ascending order: none twice. */
static void expect_ascending(const country_code *codes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const char *text = codes[i].text;
        cr_assert(strlen(text) == 2 && text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'A' &&
                  text[1] <= 'Z');
        cr_assert(i == 0 || strcmp(codes[i - 1].text, text) < 0, "%s is not behind %s", text,
                  codes[i - 1].text);
    }
}

/* ---- texts ----------------------------------------------------------------------------------- */

Test(country_codes, one_letter_adds_26) {
    for (int c = 1; c < 256; c++) {
        const char text[] = {(char)c, '\0'};
        code_set set = EMPTY;
        country_code codes[CODE_LIST_MAX];
        EXPECT_EQ(code_set_add_text(&set, text), is_letter(c));
        const size_t count = list_all(&set, codes);
        EXPECT_EQ(count, is_letter(c) ? 26 : 0);
        expect_ascending(codes, count);
        for (size_t i = 0; i < count; i++) {
            EXPECT_EQ(codes[i].text[0], c & ~0x20); /* in capitals */
        }
    }
}

Test(country_codes, two_letters_add_one) {
    for (int first = 1; first < 256; first++) {
        for (int second = 1; second < 256; second++) {
            const char text[] = {(char)first, (char)second, '\0'};
            const bool is_code = is_letter(first) && is_letter(second);
            code_set set = EMPTY;
            country_code code = {""};
            EXPECT_EQ(code_set_add_text(&set, text), is_code);
            EXPECT_EQ(code_set_list(&set, &code, 1), is_code);
            EXPECT_EQ(code.text[0], is_code ? first & ~0x20 : 0);
            EXPECT_EQ(code.text[1], is_code ? second & ~0x20 : 0);
        }
    }
}

Test(country_codes, other_texts_add_nothing) {
    static const char *const TEXTS[] = {
        "",    "BRA",  "br ",      " br",       "b r",          "--",
        "b-",  "1",    "B1",       "1B",        "\xc3\x9f", /* ß */
        "b\n", "br\n", "\xc3\xa9", "b\xc3\xa9", "\xef\xbc\xa2", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"};
    code_set set = EMPTY;
    for (size_t i = 0; i < COUNT_OF(TEXTS); i++) {
        cr_assert(!code_set_add_text(&set, TEXTS[i]), "'%s' is a code", TEXTS[i]);
        cr_assert(memcmp(&set, &EMPTY, sizeof set) == 0, "'%s' adds something", TEXTS[i]);
    }
}

/* ---- sets and lists -------------------------------------------------------------------------- */

Test(country_codes, a_set_has_each_once) {
    static const char *const TEXTS[] = {"vn", "BR", "br", "a", "Br", "AA", "VN"};
    code_set set = EMPTY;
    country_code codes[CODE_LIST_MAX];
    for (size_t i = 0; i < COUNT_OF(TEXTS); i++) {
        cr_assert(code_set_add_text(&set, TEXTS[i]));
    }
    EXPECT_EQ(list_all(&set, codes), 28);
    expect_ascending(codes, 28);
    cr_assert_str_eq(codes[0].text, "AA");
    cr_assert_str_eq(codes[25].text, "AZ");
    cr_assert_str_eq(codes[26].text, "BR");
    cr_assert_str_eq(codes[27].text, "VN");
}

Test(country_codes, every_code_there_is) {
    code_set set = EMPTY;
    country_code codes[CODE_LIST_MAX];
    code_set_add_every(&set);
    EXPECT_EQ(CODE_LIST_MAX, 676);
    EXPECT_EQ(list_all(&set, codes), 676);
    expect_ascending(codes, 676);
    cr_assert_str_eq(codes[0].text, "AA");
    cr_assert_str_eq(codes[675].text, "ZZ");
}

Test(country_codes, a_limit_takes_the_first) {
    code_set set = EMPTY;
    country_code all[CODE_LIST_MAX], some[CODE_LIST_MAX];
    code_set_add_every(&set);
    list_all(&set, all);
    for (size_t limit = 0; limit <= CODE_LIST_MAX; limit++) {
        memset(some, 0, sizeof some);
        EXPECT_EQ(code_set_list(&set, some, limit), limit);
        cr_assert(memcmp(some, all, limit * sizeof *all) == 0);
        cr_assert(limit == CODE_LIST_MAX || some[limit].text[0] == '\0'); /* nothing behind it */
    }
    set = EMPTY;
    code_set_add(&set, POP20, POP20_COUNT);
    EXPECT_EQ(code_set_list(&set, some, 21), 20);
}

/* ---- the codes that there are ---------------------------------------------------------------- */

Test(country_codes, those_with_a_flag) {
    code_set set = EMPTY;
    country_code codes[CODE_LIST_MAX];
    EXPECT_EQ(COUNTRY_CODES_COUNT, 194);
    expect_ascending(COUNTRY_CODES, COUNTRY_CODES_COUNT);
    code_set_add(&set, COUNTRY_CODES, COUNTRY_CODES_COUNT);
    EXPECT_EQ(list_all(&set, codes), COUNTRY_CODES_COUNT);
    cr_assert(memcmp(codes, COUNTRY_CODES, COUNTRY_CODES_COUNT * sizeof *codes) == 0);
}

Test(country_codes, those_with_the_most_people) {
    code_set set = EMPTY;
    country_code codes[CODE_LIST_MAX];
    EXPECT_EQ(POP20_COUNT, 20);
    cr_assert_str_eq(POP20[0].text, "CN"); /* the largest first */
    code_set_add(&set, COUNTRY_CODES, COUNTRY_CODES_COUNT);
    code_set_add(&set, POP20, POP20_COUNT); /* all of them are there already */
    EXPECT_EQ(list_all(&set, codes), COUNTRY_CODES_COUNT);
}
