/* A text that grows. If there is no memory for it, the program ends. */
#ifndef PROGRAMS_TEXT_BUFFER_H
#define PROGRAMS_TEXT_BUFFER_H

#include <stddef.h>

/* All zeros is an empty one. */
typedef struct text_buffer {
    char *text; /* ends with a NUL behind `length`; NULL while nothing was added */
    size_t length, capacity;
} text_buffer;

void text_buffer_add(text_buffer *buffer, const char *text, size_t length);
void text_buffer_print(text_buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void text_buffer_free(text_buffer *buffer); /* empty again */

#endif
