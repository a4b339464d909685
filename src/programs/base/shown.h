/* What a user wrote, as a message shows it. */
#ifndef PROGRAMS_SHOWN_H
#define PROGRAMS_SHOWN_H

#include <stddef.h>

#define SHOWN_MAX 40 /* bytes; the rest is cut off */

typedef struct shown_text {
    char text[SHOWN_MAX + 1];
} shown_text;

/* Anything but printable ASCII becomes '?': a file must not send control codes to a terminal, nor end
 * the message with its NUL. */
static inline shown_text shown_of(const char *text, size_t length) {
    shown_text s;
    size_t i = 0;
    for (; i < length && i < SHOWN_MAX; i++) {
        s.text[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
    }
    s.text[i] = '\0';
    return s;
}

#endif
