/* Images that look like flags: one for each country code, always the same. */
#ifndef PROGRAMS_FLAG_IMAGE_H
#define PROGRAMS_FLAG_IMAGE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct flag_image {
    unsigned char *data; /* a whole GIF file */
    size_t size;         /* bytes; over all codes spread from 1.2 to 36 kB, 2.35 MB in all */
} flag_image;

/* The image of COUNTRY_CODES[country]. Some 0.3 ms. False if there is no memory for it. */
bool flag_image_draw(size_t country, flag_image *image);
void flag_image_free(flag_image *image);

#endif
