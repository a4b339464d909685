#include "programs/timeline/json_text.h"

#include <stdio.h>
#include <string.h>

/* Length of the character that begins here, and its number; 0: it is not UTF-8. */
static size_t decode(const unsigned char *text, size_t size, uint32_t *character) {
    static const uint32_t SMALLEST[] = {0, 0, 0x80, 0x800,
                                        0x10000}; /* by length: none is longer than it need be */
    const unsigned char first = text[0];
    const size_t length = first < 0x80   ? 1
                          : first < 0xc2 ? 0
                          : first < 0xe0 ? 2
                          : first < 0xf0 ? 3
                                         : 4;
    if (length == 0 || length > size || first > 0xf4) {
        return 0;
    }
    *character = length == 1 ? first : first & (0x7fU >> length);
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
        *character = *character << 6 | (text[i] & 0x3fU);
    }
    const bool surrogate = *character >= 0xd800 && *character <= 0xdfff;
    return *character < SMALLEST[length] || *character > 0x10ffff || surrogate ? 0 : length;
}

/* HTML would see "</script" and "<!--", older JavaScript the two line ends, a reader nothing at all. */
static bool needs_escape(uint32_t character) {
    return character < 0x20 || (character >= 0x7f && character < 0xa0) || character == '"' ||
           character == '\\' || character == '<' || character == '>' || character == '&' ||
           character == 0x2028 || character == 0x2029;
}

void json_text_write(whole_file *file, const char *text, size_t size) {
    const unsigned char *at = (const unsigned char *)text;
    size_t left = text == NULL ? 0 : strnlen(text, size);
    whole_file_text(file, "\"");
    while (left > 0) {
        uint32_t character = 0;
        const size_t length = decode(at, left, &character);
        if (length == 0) {
            whole_file_text(file, "\\ufffd");
        } else if (needs_escape(character)) {
            char escape[16];
            snprintf(escape, sizeof escape, "\\u%04x", (unsigned)character);
            whole_file_text(file, escape);
        } else {
            whole_file_write(file, at, length);
        }
        at += length == 0 ? 1 : length;
        left -= length == 0 ? 1 : length;
    }
    whole_file_text(file, "\"");
}
