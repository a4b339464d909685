#include "slow_tokens.h"

#include <stdlib.h>
#include <string.h>

bool slow_is_blank(char c) {
    return c != '\0' && strchr(" \t\n\v\f\r", c) != NULL;
}

/* Below 2^64, of digits without zeros before them: no longer than the greatest, or before it. */
static bool is_small(const char *digits, const char *greatest) {
    const size_t length = strlen(digits), most = strlen(greatest);
    return length < most || (length == most && strcmp(digits, greatest) <= 0);
}

slow_kind slow_read(const char *text, size_t length, size_t max_digits, uint64_t *value) {
    size_t at = length > 0 && text[0] == '+' ? 1 : 0;
    const bool hex = length - at >= 2 && text[at] == '0' && strchr("xX", text[at + 1]) != NULL &&
                     text[at + 1] != '\0';
    const char *allowed = hex ? "0123456789abcdefABCDEF" : "0123456789";
    char digits[21] = "";
    size_t count = 0, significant = 0;
    for (at += hex ? 2 : 0; at < length; at++, count++) {
        if (text[at] == '\0' || strchr(allowed, text[at]) == NULL) {
            return SLOW_INVALID;
        }
        if (significant > 0 || text[at] != '0') {
            const char c = text[at];
            if (significant < 20) {
                digits[significant] = c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c;
            }
            significant++;
        }
    }
    if (count == 0) {
        return SLOW_INVALID;
    }
    if (count > max_digits) {
        return SLOW_LONG;
    }
    if (significant > 20 || !is_small(digits, hex ? "ffffffffffffffff" : "18446744073709551615")) {
        return SLOW_BIG;
    }
    *value = strtoull(digits, NULL, hex ? 16 : 10);
    return SLOW_SMALL;
}

bool slow_next(const char *text, size_t length, size_t *at, uint64_t *line, slow_token *token) {
    while (*at < length && slow_is_blank(text[*at])) {
        *line += text[*at] == '\n';
        ++*at;
    }
    *token = (slow_token){.text = text + *at, .line = *line};
    while (*at < length && !slow_is_blank(text[*at])) {
        token->length++;
        ++*at;
    }
    return token->length > 0;
}
