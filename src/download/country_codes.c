#include "download/country_codes.h"

#include <string.h>

const country_code POP20[POP20_COUNT] = {
    {"CN"}, {"IN"}, {"US"}, {"ID"}, {"BR"}, {"PK"}, {"NG"}, {"BD"}, {"RU"}, {"JP"},
    {"MX"}, {"PH"}, {"VN"}, {"ET"}, {"EG"}, {"DE"}, {"IR"}, {"TR"}, {"CD"}, {"FR"},
};

country_code country_code_lower(country_code code) {
    return (country_code){
        {(char)(code.text[0] - 'A' + 'a'), (char)(code.text[1] - 'A' + 'a'), '\0'}};
}

/* Not islower() and the like, for which other letters may be letters. */
static int letter_index(char c) {
    if (c >= 'a' && c <= 'z') {
        return c - 'a';
    }
    return c >= 'A' && c <= 'Z' ? c - 'A' : -1;
}

bool code_set_add_text(code_set *set, const char *text) {
    const size_t length = strlen(text);
    const int first = letter_index(text[0]);
    if (first < 0 || length > 2) {
        return false;
    }
    if (length == 1) {
        memset(set->has[first], true, sizeof set->has[first]);
        return true;
    }
    const int second = letter_index(text[1]);
    if (second < 0) {
        return false;
    }
    set->has[first][second] = true;
    return true;
}

void code_set_add(code_set *set, const country_code *codes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        code_set_add_text(set, codes[i].text);
    }
}

void code_set_add_every(code_set *set) {
    memset(set->has, true, sizeof set->has);
}

size_t code_set_list(const code_set *set, country_code *codes, size_t limit) {
    size_t count = 0;
    for (int i = 0; i < 26; i++) {
        for (int j = 0; j < 26 && count < limit; j++) {
            if (set->has[i][j]) {
                codes[count++] = (country_code){{(char)('A' + i), (char)('A' + j), '\0'}};
            }
        }
    }
    return count;
}
