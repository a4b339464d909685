#define _GNU_SOURCE /* vasprintf */
#include "programs/base/text_buffer.h"

#include "programs/base/output.h"

#include <errno.h>
#include <error.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void text_buffer_add(text_buffer *buffer, const char *text, size_t length) {
    const size_t needed = buffer->length + length + 1;
    if (needed > buffer->capacity) {
        const size_t capacity = needed > 2 * buffer->capacity ? needed : 2 * buffer->capacity;
        char *grown = realloc(buffer->text, capacity);
        if (grown == NULL) {
            error(EXIT_ITEM, ENOMEM, "a text of %zu bytes", needed);
            return; /* not reached, but only the C library knows */
        }
        buffer->text = grown;
        buffer->capacity = capacity;
    }
    memcpy(buffer->text + buffer->length, text, length);
    buffer->length += length;
    buffer->text[buffer->length] = '\0';
}

void text_buffer_print(text_buffer *buffer, const char *format, ...) {
    va_list values;
    char *text;
    va_start(values, format);
    const int length = vasprintf(&text, format, values);
    va_end(values);
    if (length < 0) {
        error(EXIT_ITEM, ENOMEM, "a text");
        return; /* not reached, but only the C library knows */
    }
    text_buffer_add(buffer, text, (size_t)length);
    free(text);
}

void text_buffer_free(text_buffer *buffer) {
    free(buffer->text);
    *buffer = (text_buffer){0};
}
