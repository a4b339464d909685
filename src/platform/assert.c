#include "platform/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Without stdio's lock, which the thread may hold. */
_Noreturn void cfi_assert_failed(const char *condition, const char *file, int line,
                                 const char *function) {
    char text[512];
    int length = snprintf(text, sizeof text, "cfutures: assertion failed: %s (%s:%d, %s)\n",
                          condition, file, line, function);
    size_t size = length < (int)sizeof text ? (size_t)length : sizeof text - 1;
    ssize_t written = write(STDERR_FILENO, text, size);
    (void)written; /* there is nobody else to tell */
    abort();
}
