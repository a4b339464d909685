/* Is what came a GIF, and all of it? */
#ifndef DOWNLOAD_GIF_H
#define DOWNLOAD_GIF_H

#include <stdbool.h>
#include <stddef.h>

#define GIF_SIGNATURE_SIZE ((size_t)6)

bool gif_has_signature(const char *data, size_t size);

/* NULL, or what is wrong: "empty body", "not a GIF", "broken GIF". Follows its blocks to the end, by
 * giflib, without decoding the pixels: so it tells a GIF that was cut off, in microseconds. What comes
 * after the end is allowed. */
const char *gif_fault(const char *data, size_t size);

#endif
