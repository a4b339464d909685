#include "programs/base/decimal.h"

#include <stdlib.h>
#include <string.h>

bool decimal_parse(const char *text, size_t length, uint64_t min, uint64_t max, uint64_t *value) {
    uint64_t sum = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        uint64_t digit = (uint64_t)(text[i] - '0');
        if (sum > (UINT64_MAX - digit) / 10) {
            return false;
        }
        sum = sum * 10 + digit;
    }
    *value = sum;
    return length > 0 && min <= sum && sum <= max;
}

bool decimal_parse_real(const char *text, double *value) {
    char *end;
    *value = strtod(text, &end);
    return text[0] != '\0' && *end == '\0' && text[strspn(text, "0123456789.")] == '\0';
}
