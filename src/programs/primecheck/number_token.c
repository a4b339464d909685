#include "programs/primecheck/number_token.h"

static unsigned digit_of(char c, int base) {
    const unsigned digit = (unsigned char)(c - '0'), letter = (unsigned char)((c | 0x20) - 'a');
    return digit < 10 ? digit : base == 16 && letter < 6 ? letter + 10 : 99;
}

static bool value_of(const number_token *t, uint64_t *value) {
    uint64_t sum = 0;
    for (size_t i = 0; i < t->length; i++) {
        if (__builtin_mul_overflow(sum, (unsigned)t->base, &sum) ||
            __builtin_add_overflow(sum, digit_of(t->digits[i], t->base), &sum)) {
            return false;
        }
    }
    *value = sum;
    return true;
}

number_token token_read(const char *text, size_t length, size_t max_digits) {
    const char *end = text + length;
    number_token t = {.kind = TOKEN_INVALID, .base = 10};
    if (text < end && *text == '+') {
        text++;
    }
    if (end - text >= 2 && text[0] == '0' && (text[1] | 0x20) == 'x') {
        t.base = 16;
        text += 2;
    }
    if (text == end) {
        return t;
    }
    for (const char *c = text; c < end; c++) {
        if (digit_of(*c, t.base) == 99) {
            return t;
        }
    }
    if ((size_t)(end - text) > max_digits) {
        t.kind = TOKEN_LONG;
        return t;
    }
    while (text < end && *text == '0') {
        text++;
    }
    t.digits = text;
    t.length = (size_t)(end - text);
    t.kind = value_of(&t, &t.value) ? TOKEN_SMALL : TOKEN_BIG;
    return t;
}
