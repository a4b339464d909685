#include "programs/base/decimal.h"

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
